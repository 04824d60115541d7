import { isTruthy } from '../expressions/expression.js';
import type { RefItem, RefPolicy } from '../keywords/only-except.js';
import type { RuleCircumstances } from '../rules/rule-conditions.js';
import type { PipelineContext } from '../plan.js';

/** Null when `only` and `except` let a job in, else which of their keys does not (ci-config.md §2.1). */
export function refusedByRefPolicy(
  only: RefPolicy | undefined,
  except: RefPolicy | undefined,
  context: PipelineContext,
  circumstances: RuleCircumstances,
): string | null {
  for (const key of policyKeys)
    if (only?.[key] !== undefined && !holds(only, key, context, circumstances)) return `only: ${key}`;
  for (const key of policyKeys)
    if (except?.[key] !== undefined && holds(except, key, context, circumstances)) return `except: ${key}`;
  return null;
}

const policyKeys = ['refs', 'variables', 'changes', 'kubernetes'] as const;

function holds(
  policy: RefPolicy,
  key: (typeof policyKeys)[number],
  context: PipelineContext,
  circumstances: RuleCircumstances,
): boolean {
  switch (key) {
    case 'refs':
      return (policy.refs ?? []).some((item) => matchesRef(item, context, circumstances));
    case 'variables':
      return (policy.variables ?? []).some((expression) => isTruthy(expression, circumstances));
    case 'changes':
      return circumstances.paths.changed(policy.changes ?? []);
    case 'kubernetes':
      return false;
  }
}

function matchesRef(
  { name, path, pattern }: RefItem,
  context: PipelineContext,
  { patterns }: RuleCircumstances,
): boolean {
  if (path !== undefined && path !== context.projectPath) return false;
  if (name === (context.refType === 'tag' ? 'tags' : 'branches')) return true;
  const source = context.source.replace(/_event$/, '');
  if (name === source || name === plural(source)) return true;
  return pattern ? patterns.search(pattern, context.ref) : name === context.ref;
}

function plural(word: string): string {
  if (/(?:s|x|ch|sh)$/.test(word)) return `${word}es`;
  return word.endsWith('y') ? `${word.slice(0, -1)}ies` : `${word}s`;
}
