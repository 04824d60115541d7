import type { Expression } from '../expressions/expression.js';
import { looksLikePattern, type Patterns } from '../expressions/pattern.js';
import type { RE2JS } from 're2js';
import { readExpression } from '../rules/read-rule-conditions.js';
import { YamlMap } from '../yaml/values.js';
import type { Place } from './place.js';
import { isTextList, readTexts } from './texts.js';

/** One item of `refs`; `path` is what stands after an `@`. */
export interface RefItem {
  name: string;
  path?: string;
  pattern?: RE2JS;
}

/** `only` or `except`: what is absent is not asked (ci-config.md §2.1). */
export interface RefPolicy {
  refs?: RefItem[];
  variables?: Expression[];
  changes?: string[];
  /** No cluster is ever active here. */
  kubernetes?: boolean;
}

const keys = new Set(['refs', 'variables', 'changes', 'kubernetes']);
const refsSentence = 'config should be an array of strings or regular expressions using re2 syntax';

export function readRefPolicy(place: Place): RefPolicy {
  if (Array.isArray(place.value)) return { refs: readRefs(place) };
  if (!(place.value instanceof YamlMap)) {
    place.problem('has to be either an array of conditions or a hash');
    return {};
  }
  place.checkKeys(keys);
  const policy: RefPolicy = {};
  if (place.has('refs')) policy.refs = readRefs(place.child('refs'), place);
  if (place.has('variables')) policy.variables = readExpressions(place.child('variables'), place);
  if (place.has('changes')) policy.changes = readTexts(place.child('changes'));
  if (place.has('kubernetes')) {
    if (place.get('kubernetes') === 'active') policy.kubernetes = true;
    else place.problem('kubernetes should be one of: active', 'kubernetes');
  }
  return policy;
}

function readRefs(place: Place, owner = place): RefItem[] {
  const items = isTextList(place.value) ? place.value.map((text) => readRef(text, place.checks.patterns)) : [null];
  if (!items.includes(null)) return items.filter((item) => item !== null);
  owner.problem(
    place === owner ? refsSentence : refsSentence.replace('config', 'refs'),
    place === owner ? undefined : 'refs',
  );
  return [];
}

/** Null for an invalid pattern. */
function readRef(text: string, patterns: Patterns): RefItem | null {
  const at = text.indexOf('@');
  const item: RefItem = at < 0 ? { name: text } : { name: text.slice(0, at), path: text.slice(at + 1) };
  if (!looksLikePattern(item.name)) return item;
  const pattern = patterns.compile(item.name);
  return pattern && { ...item, pattern };
}

function readExpressions(place: Place, owner: Place): Expression[] {
  const expressions = readTexts(place).map((text) => readExpression(text, place.checks.patterns));
  if (expressions.includes(null)) owner.problem('variables invalid expression syntax', 'variables');
  return expressions.filter((expression) => expression !== null);
}
