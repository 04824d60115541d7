import type { Expression } from '../expressions/expression.js';
import { compilePattern, looksLikePattern } from '../expressions/pattern.js';
import { compileGlob, type PathTest } from '../paths/glob.js';
import { readExpression } from '../rules/read-rule-conditions.js';
import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { isTextList, readTexts } from './texts.js';

/** `only` or `except`: what is absent is not asked (ci-config.md §2.1). */
export interface RefPolicy {
  refs?: string[];
  variables?: Expression[];
  changes?: PathTest[];
  /** No cluster is ever active here. */
  kubernetes?: boolean;
}

const refsSentence = 'config should be an array of strings or regular expressions using re2 syntax';

export function readRefPolicy(place: Place): RefPolicy {
  if (Array.isArray(place.value)) return { refs: readRefs(place) };
  if (!(place.value instanceof YamlMap)) {
    place.problem('has to be either an array of conditions or a hash');
    return {};
  }
  place.checkKeys(['refs', 'variables', 'changes', 'kubernetes']);
  const policy: RefPolicy = {};
  if (place.has('refs')) policy.refs = readRefs(place.child('refs'), place);
  if (place.has('variables')) policy.variables = readExpressions(place.child('variables'), place);
  if (place.has('changes')) policy.changes = readTexts(place.child('changes')).map(compileGlob);
  if (place.has('kubernetes')) {
    if (place.get('kubernetes') === 'active') policy.kubernetes = true;
    else place.problem('kubernetes should be one of: active', 'kubernetes');
  }
  return policy;
}

function readRefs(place: Place, owner = place): string[] {
  if (isTextList(place.value) && place.value.every(isRefItem)) return place.value;
  owner.problem(
    place === owner ? refsSentence : refsSentence.replace('config', 'refs'),
    place === owner ? undefined : 'refs',
  );
  return [];
}

function isRefItem(item: string): boolean {
  const name = item.split('@', 1)[0] as string;
  return !looksLikePattern(name) || compilePattern(name) !== null;
}

function readExpressions(place: Place, owner: Place): Expression[] {
  const expressions = readTexts(place).map(readExpression);
  if (expressions.includes(null)) owner.problem('variables invalid expression syntax', 'variables');
  return expressions.filter((expression) => expression !== null);
}
