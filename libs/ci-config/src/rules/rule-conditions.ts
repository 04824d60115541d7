import { isTruthy, type Expression, type ExpressionCircumstances } from '../expressions/expression.js';
import type { PathMatcher } from '../paths/path-matcher.js';
import { expandText, type FindVariable } from '../variables/expand-variables.js';

/** Conditions of one rule; all must hold, none means "always" (ci-config.md §2.3). */
export interface RuleConditions {
  if?: { text: string; expression: Expression };
  changes?: { paths: string[]; compareTo?: string };
  /** In another project where one is named, at a ref or at the head of its default branch. */
  exists?: { paths: string[]; project?: string; ref?: string };
  when?: string;
  /** How people are told which rule decided. */
  text: string;
}

/** What rules may look at. */
export interface RuleCircumstances extends ExpressionCircumstances {
  /** For paths that contain variables. */
  find: FindVariable;
  paths: PathMatcher;
}

/** Whether a rule matches, or why that cannot be told. */
export function ruleApplies(rule: RuleConditions, circumstances: RuleCircumstances): boolean | { error: string } {
  if (rule.if && !isTruthy(rule.if.expression, circumstances)) return false;
  if (rule.changes) {
    const changed = hasChanges(rule.changes, circumstances);
    if (changed !== true) return changed;
  }
  return rule.exists ? doExist(rule.exists, circumstances) : true;
}

function doExist(
  { paths: written, project, ref }: NonNullable<RuleConditions['exists']>,
  { find, paths }: RuleCircumstances,
): boolean | { error: string } {
  const patterns = expandAll(written, find);
  if ('error' in patterns) return patterns;
  if (project === undefined) return paths.exist(patterns.texts);
  const where = expandAll(ref === undefined ? [project] : [project, ref], find);
  if ('error' in where) return where;
  const [path = '', at = null] = where.texts;
  return paths.existIn(path, at, patterns.texts);
}

function hasChanges(
  changes: { paths: string[]; compareTo?: string },
  { find, paths }: RuleCircumstances,
): boolean | { error: string } {
  const globs = expandAll(changes.paths, find);
  if ('error' in globs) return globs;
  if (changes.compareTo === undefined) return paths.changed(globs.texts);
  const ref = expandText(changes.compareTo, find, 'keep');
  return ref.ok ? paths.changedSince(ref.text, globs.texts) : { error: ref.error };
}

function expandAll(texts: readonly string[], find: FindVariable): { texts: string[] } | { error: string } {
  const expanded: string[] = [];
  for (const text of texts) {
    const result = expandText(text, find, 'keep');
    if (!result.ok) return { error: result.error };
    expanded.push(result.text);
  }
  return { texts: expanded };
}
