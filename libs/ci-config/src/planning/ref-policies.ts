import { isTruthy } from '../expressions/expression.js';
import { compilePattern, looksLikePattern, searches } from '../expressions/pattern.js';
import type { RefPolicy } from '../keywords/only-except.js';
import { anyMatches } from '../paths/glob.js';
import type { PipelineContext } from '../plan.js';
import type { VariableScope } from './pipeline-variables.js';

/** Null when `only` and `except` let a job in, else which of their keys does not (ci-config.md §2.1). */
export function refusedByRefPolicy(
  only: RefPolicy | undefined,
  except: RefPolicy | undefined,
  context: PipelineContext,
  scope: VariableScope,
): string | null {
  for (const key of policyKeys)
    if (only?.[key] !== undefined && !holds(only, key, context, scope)) return `only: ${key}`;
  for (const key of policyKeys)
    if (except?.[key] !== undefined && holds(except, key, context, scope)) return `except: ${key}`;
  return null;
}

const policyKeys = ['refs', 'variables', 'changes', 'kubernetes'] as const;

function holds(
  policy: RefPolicy,
  key: (typeof policyKeys)[number],
  context: PipelineContext,
  scope: VariableScope,
): boolean {
  switch (key) {
    case 'refs':
      return (policy.refs ?? []).some((item) => matchesRef(item, context));
    case 'variables':
      return (policy.variables ?? []).some((expression) => isTruthy(expression, scope.lookup));
    case 'changes':
      // Not known, as in every triggered pipeline, counts as changed.
      return context.changedFiles === null || anyMatches(policy.changes ?? [], context.changedFiles);
    case 'kubernetes':
      return false;
  }
}

function matchesRef(item: string, context: PipelineContext): boolean {
  const at = item.indexOf('@');
  if (at >= 0 && item.slice(at + 1) !== context.projectPath) return false;
  const name = at < 0 ? item : item.slice(0, at);
  if (name === (context.refType === 'tag' ? 'tags' : 'branches')) return true;
  const source = context.source.replace(/_event$/, '');
  if (name === source || name === plural(source)) return true;
  const pattern = looksLikePattern(name) ? compilePattern(name) : null;
  return pattern ? searches(pattern, context.ref) : name === context.ref;
}

function plural(word: string): string {
  if (/(?:s|x|ch|sh)$/.test(word)) return `${word}es`;
  return word.endsWith('y') ? `${word.slice(0, -1)}ies` : `${word}s`;
}
