import type { Expression } from '../expressions/expression.js';
import type { RE2JS } from 're2js';
import { compileRegex } from '../expressions/pattern.js';
import type { Place } from '../keywords/place.js';
import { readExpression } from '../rules/read-rule-conditions.js';
import { YamlMap, type Value } from '../yaml/values.js';

export const inputTypes = ['array', 'boolean', 'number', 'string'] as const;
export type InputType = (typeof inputTypes)[number];

/** What an input may be and is when not given; the first rule that matches says it for some values of inputs before it. */
export interface InputDefinition {
  name: string;
  type: InputType;
  /** For people. */
  description?: string;
  /** Absent: the input has to be given. */
  default?: Value;
  options?: Value[];
  /** Null: given, but not a regular expression. */
  regex?: RE2JS | null;
  /** The same as it is written. */
  pattern?: string;
  rules?: InputRule[];
}

export interface InputRule {
  if?: Expression;
  default?: Value;
  options?: Value[];
}

const headerKeys = new Set(['spec']);
const specKeys = new Set(['inputs', 'include', 'component', 'description']);
const inputKeys = new Set(['default', 'description', 'options', 'regex', 'type', 'rules']);
const ruleKeys = new Set(['if', 'default', 'options']);
const optionsAtMost = 50;

/** `spec:inputs` of a header document (ci-config.md §5.9), in the order of the file. Faults are noted at the place. */
export function readInputDefinitions(header: Place): InputDefinition[] {
  header.checkKeys(headerKeys);
  const spec = header.child('spec');
  if (spec.value === null) return [];
  if (!(spec.value instanceof YamlMap)) {
    spec.problem('config should be a hash');
    return [];
  }
  spec.checkKeys(specKeys);
  for (const key of ['include', 'component'])
    if (spec.has(key)) spec.exactProblem(`\`spec:${key}\` is not supported by this server`, key);
  const inputs = spec.child('inputs');
  if (inputs.value === null) return [];
  if (!(inputs.value instanceof YamlMap)) {
    inputs.problem('config should be a hash');
    return [];
  }
  return [...inputs.value.keys()].map((name) => readDefinition(inputs.child(name), name));
}

function readDefinition(place: Place, name: string): InputDefinition {
  const definition: InputDefinition = { name, type: 'string' };
  if (place.value === null) return definition;
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return definition;
  }
  place.checkKeys(inputKeys);
  const type = place.get('type') ?? 'string';
  if (typeof type === 'string' && (inputTypes as readonly string[]).includes(type)) definition.type = type as InputType;
  else place.problem(`input type unknown value: ${typeof type === 'string' ? type : 'not a text'}`, 'type');
  const description = place.get('description');
  if (typeof description === 'string') definition.description = description;
  const byDefault = place.get('default');
  if (byDefault !== undefined) definition.default = byDefault;
  const options = readOptions(place);
  if (options) definition.options = options;
  const regex = place.get('regex');
  if (typeof regex === 'string') {
    definition.regex = compileRegex(regex);
    definition.pattern = regex;
  } else if (regex !== undefined && regex !== null) place.problem('input regex should be a string', 'regex');
  if (place.has('rules')) definition.rules = readRules(place.child('rules'));
  return definition;
}

function readOptions(place: Place): Value[] | undefined {
  const options = place.get('options') ?? null;
  if (options === null) return undefined;
  if (!Array.isArray(options)) {
    place.problem('input options should be an array', 'options');
    return undefined;
  }
  if (options.length > optionsAtMost)
    place.problem(`config cannot define more than ${optionsAtMost} options`, 'options');
  if (options.includes(null)) place.problem('config options array cannot contain null values', 'options');
  return options;
}

function readRules(place: Place): InputRule[] {
  if (!Array.isArray(place.value) || !place.value.every((rule) => rule instanceof YamlMap)) {
    place.problem('config should be an array of hashes');
    return [];
  }
  return place.value.map((value, index) => {
    const item = place.item('rule', index, value);
    item.checkKeys(ruleKeys);
    const rule: InputRule = {};
    const condition = item.get('if');
    if (condition !== undefined && condition !== null) {
      const expression = typeof condition === 'string' ? readExpression(condition, place.checks.patterns) : null;
      if (expression) rule.if = expression;
      else item.problem('if invalid expression syntax', 'if');
    }
    const byDefault = item.get('default');
    if (byDefault !== undefined) rule.default = byDefault;
    const options = readOptions(item);
    if (options) rule.options = options;
    return rule;
  });
}
