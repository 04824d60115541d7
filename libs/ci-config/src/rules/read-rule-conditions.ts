import { parseExpression, type Expression } from '../expressions/expression.js';
import type { Patterns } from '../expressions/pattern.js';
import { ExpressionSyntaxError } from '../expressions/tokens.js';
import { flattenList, isTextList, readText } from '../keywords/texts.js';
import type { Place } from '../keywords/place.js';
import { YamlMap, isScalar, scalarText, type Value } from '../yaml/values.js';
import type { RuleConditions } from './rule-conditions.js';

/** Where a rule stands decides its keys and the words of its `when` (ci-config.md §1, last list). */
const kinds = {
  job: {
    keys: new Set([
      'if',
      'changes',
      'exists',
      'when',
      'start_in',
      'allow_failure',
      'variables',
      'needs',
      'interruptible',
    ]),
    whens: ['on_success', 'on_failure', 'always', 'never', 'manual', 'delayed'],
  },
  workflow: {
    keys: new Set([
      'if',
      'changes',
      'exists',
      'when',
      'start_in',
      'allow_failure',
      'variables',
      'needs',
      'auto_cancel',
    ]),
    whens: ['always', 'never'],
  },
  include: { keys: new Set(['if', 'exists', 'changes', 'when']), whens: ['always', 'never'] },
} as const;

const changesKeys = new Set(['paths', 'compare_to']);
const existsKeys = new Set(['paths', 'project', 'ref']);
const entriesAtMost = 50;

/** The places of the rules of a list, flattened; faults of the list itself are noted. `owner` is what has the rules. */
export function rulePlaces(owner: Place): Place[] {
  const place = owner.child('rules');
  if (!Array.isArray(place.value)) {
    owner.problem('rules should be an array containing hashes and arrays of hashes', 'rules');
    return [];
  }
  const rules = flattenList(place.value);
  if (!rules || !rules.every((rule) => rule instanceof YamlMap)) {
    owner.problem('rules should be an array containing hashes and arrays of hashes', 'rules');
    return [];
  }
  if (rules.length === 0) place.problem("config can't be blank");
  return rules.map((rule, index) => place.item('rule', index, rule));
}

/** The conditions of one rule, with faults noted. */
export function readRuleConditions(place: Place, kind: keyof typeof kinds): RuleConditions {
  const conditions: RuleConditions = { text: describeRule(place) };
  if ((place.value as YamlMap).size === 0) place.problem("config can't be blank");
  place.checkKeys(kinds[kind].keys);
  if (place.has('if')) {
    const text = place.get('if');
    const expression = typeof text === 'string' ? readExpression(text, place.checks.patterns) : null;
    if (typeof text === 'string' && expression) conditions.if = { text, expression };
    else place.problem('if invalid expression syntax', 'if');
  }
  if (place.has('changes')) conditions.changes = readChanges(place.child('changes'));
  if (place.has('exists')) conditions.exists = readExists(place.child('exists'));
  if (place.has('when')) {
    const when = place.get('when');
    if (typeof when === 'string' && (kinds[kind].whens as readonly string[]).includes(when)) conditions.when = when;
    else place.problem(`when unknown value: ${typeof when === 'string' ? when : describe(when)}`, 'when');
  }
  return conditions;
}

/** A parsed expression, or null when its syntax is wrong. */
export function readExpression(text: string, patterns: Patterns): Expression | null {
  try {
    return parseExpression(text, patterns);
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return null;
    throw error;
  }
}

function readChanges(place: Place): { paths: string[]; compareTo?: string } {
  if (!(place.value instanceof YamlMap)) return { paths: readPaths(place) };
  place.checkKeys(changesKeys);
  const compareTo = place.get('compare_to');
  if (compareTo !== undefined && typeof compareTo !== 'string')
    place.problem('compare to should be a string', 'compare_to');
  const paths = readPaths(place.child('paths'));
  return typeof compareTo === 'string' ? { paths, compareTo } : { paths };
}

function readExists(place: Place): NonNullable<RuleConditions['exists']> {
  if (typeof place.value === 'string') return { paths: [place.value] };
  if (!(place.value instanceof YamlMap)) return { paths: readPaths(place) };
  place.checkKeys(existsKeys);
  const project = readText(place, 'project');
  const ref = readText(place, 'ref');
  if (!project && (place.has('ref') || project === '')) place.problem("project can't be blank", 'project');
  return { paths: readPaths(place.child('paths')), ...(project && { project }), ...(ref && { ref }) };
}

function readPaths(place: Place): string[] {
  if (!isTextList(place.value)) {
    place.problem('config should be an array of strings');
    return [];
  }
  if (place.value.length > entriesAtMost) place.problem(`config has too many entries (maximum ${entriesAtMost})`);
  return place.value;
}

function describeRule(place: Place): string {
  const parts = [...(place.value as YamlMap)]
    .filter(([key]) => ['if', 'changes', 'exists', 'when'].includes(key))
    .map(([key, value]) => `${key}: ${describe(value)}`);
  return parts.join(', ');
}

function describe(value: Value | undefined): string {
  if (value instanceof YamlMap) return `{${[...value].map(([key, item]) => `${key}: ${describe(item)}`).join(', ')}}`;
  if (Array.isArray(value)) return `[${value.map(describe).join(', ')}]`;
  return isScalar(value) ? scalarText(value) : 'null';
}
