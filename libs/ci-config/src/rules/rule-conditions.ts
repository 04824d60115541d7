import { isTruthy, type Expression, type Lookup } from '../expressions/expression.js';
import type { Variable } from '../job.js';
import { anyMatches, compileExistsPattern, compileGlob, type PathTest } from '../paths/glob.js';
import { expandText } from '../variables/expand-variables.js';

/** Conditions of one rule; all must hold, none means "always" (ci-config.md §2.3). */
export interface RuleConditions {
  if?: { text: string; expression: Expression };
  changes?: { paths: string[]; compareTo?: string };
  exists?: { paths: string[] };
  when?: string;
  /** How people are told which rule decided. */
  text: string;
}

/** What rules may look at. */
export interface RuleCircumstances {
  lookup: Lookup;
  /** All variables, for paths that contain some. */
  variables: () => readonly Variable[];
  changedFiles: readonly string[] | null;
  changedSince?: ((ref: string) => readonly string[] | null) | undefined;
  listFiles: () => readonly string[];
}

/** Whether a rule matches, or why that cannot be told. */
export function ruleApplies(rule: RuleConditions, circumstances: RuleCircumstances): boolean | { error: string } {
  if (rule.if && !isTruthy(rule.if.expression, circumstances.lookup)) return false;
  if (rule.changes) {
    const changed = hasChanges(rule.changes, circumstances);
    if (changed !== true) return changed;
  }
  if (rule.exists) return testPaths(rule.exists.paths, circumstances.listFiles(), compileExistsPattern, circumstances);
  return true;
}

function hasChanges(
  changes: { paths: string[]; compareTo?: string },
  circumstances: RuleCircumstances,
): boolean | { error: string } {
  let files = circumstances.changedFiles;
  if (changes.compareTo !== undefined) {
    const ref = expandText(changes.compareTo, circumstances.variables(), 'keep');
    if (!ref.ok) return ref;
    if (!circumstances.changedSince) return { error: 'rules:changes:compare_to is not supported by this server' };
    files = circumstances.changedSince(ref.text);
    if (files === null) return { error: 'rules:changes:compare_to is not a valid ref' };
  }
  // Not known, as in every triggered pipeline, counts as changed (ci-config.md §2.4).
  return files === null || testPaths(changes.paths, files, compileGlob, circumstances);
}

function testPaths(
  patterns: readonly string[],
  files: readonly string[],
  compile: (pattern: string) => PathTest,
  circumstances: RuleCircumstances,
): boolean | { error: string } {
  const tests: PathTest[] = [];
  for (const pattern of patterns) {
    const expanded = expandText(
      pattern,
      pattern.includes('$') || pattern.includes('%') ? circumstances.variables() : [],
      'keep',
    );
    if (!expanded.ok) return expanded;
    tests.push(compile(expanded.text));
  }
  return anyMatches(tests, files);
}
