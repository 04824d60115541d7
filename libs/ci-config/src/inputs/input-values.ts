import { isTruthy } from '../expressions/expression.js';
import type { Patterns } from '../expressions/pattern.js';
import { fromJson } from '../yaml/plain.js';
import { Float, type Value } from '../yaml/values.js';
import type { InputDefinition, InputRule } from './input-definitions.js';
import { valueText } from './value-text.js';

/**
 * The value of each input: as given, or its default; both checked against the definition (ci-config.md §5.9). All errors come
 * together, in GitLab's words. A text that was given for another type is read as JSON, since forms know only texts.
 */
export function resolveInputs(
  definitions: readonly InputDefinition[],
  given: ReadonlyMap<string, Value>,
  patterns: Patterns,
): { values: Map<string, Value>; errors: string[] } {
  const values = new Map<string, Value>();
  const errors: string[] = [];
  for (const definition of definitions) {
    const rule = definition.rules?.find((one) => ruleApplies(one, values, given, patterns));
    const byDefault = rule?.default ?? definition.default;
    const options = definition.rules ? rule?.options : definition.options;
    const value = given.get(definition.name) ?? null;
    if (value === null && byDefault === undefined) {
      errors.push(`\`${definition.name}\` input: required value has not been provided`);
    } else {
      // A default is checked even where a value was given: it may be what the next call gets.
      for (const [checked, which] of [
        [byDefault ?? null, 'default'],
        [value, 'provided'],
      ] as const) {
        const fault =
          checked === null ? null : faultOf(definition, options, coerced(definition, checked), which, patterns);
        if (fault !== null) errors.push(`\`${definition.name}\` input: ${fault}`);
      }
    }
    values.set(definition.name, coerced(definition, value ?? byDefault ?? null));
  }
  const unknown = [...given.keys()].filter((name) => !values.has(name));
  if (unknown.length > 0) errors.push(`unknown input arguments: ${unknown.join(', ')}`);
  return { values, errors };
}

function ruleApplies(
  rule: InputRule,
  resolved: ReadonlyMap<string, Value>,
  given: ReadonlyMap<string, Value>,
  patterns: Patterns,
): boolean {
  if (!rule.if) return true;
  const input = (name: string) => {
    const value = resolved.get(name) ?? given.get(name) ?? null;
    return value === null || typeof value === 'boolean' ? value : valueText(value);
  };
  return isTruthy(rule.if, { lookup: () => undefined, input, patterns });
}

function coerced({ type }: InputDefinition, value: Value): Value {
  if (value === null) return null;
  if (type === 'string') return valueText(value);
  if (typeof value !== 'string') return value;
  try {
    return fromJson(JSON.parse(value));
  } catch {
    // Not JSON, or too deep: the check of the type says so.
    return value;
  }
}

function faultOf(
  definition: InputDefinition,
  options: readonly Value[] | undefined,
  value: Value,
  which: 'default' | 'provided',
  patterns: Patterns,
): string | null {
  return (
    typeFault(definition, value, which) ??
    optionFault(definition, options, value) ??
    patternFault(definition, value, which, patterns)
  );
}

function typeFault({ type }: InputDefinition, value: Value, which: string): string | null {
  switch (type) {
    case 'string':
      return null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' || value instanceof Float
        ? null
        : `${which} value is not a number`;
    case 'boolean':
      return typeof value === 'boolean' ? null : `${which} value is not a boolean`;
    case 'array':
      return Array.isArray(value) ? null : `${which} value is not an array`;
  }
}

function optionFault({ type }: InputDefinition, options: readonly Value[] | undefined, value: Value): string | null {
  if (!options) return null;
  if (type === 'boolean') return 'Options can only be used with string and number inputs';
  const allowed = new Set(options.map(valueText));
  if (Array.isArray(value)) {
    const others = value.filter((item) => !allowed.has(valueText(item)));
    return others.length > 0
      ? `${others.map(valueText).join(', ')} cannot be used because it is not in the list of allowed options`
      : null;
  }
  const text = valueText(value);
  return allowed.has(text) ? null : `\`${text}\` cannot be used because it is not in the list of allowed options`;
}

function patternFault(
  { type, regex }: InputDefinition,
  value: Value,
  which: string,
  patterns: Patterns,
): string | null {
  if (regex === undefined) return null;
  if (type !== 'string') return 'RegEx validation can only be used with string inputs';
  if (!regex) return 'invalid regular expression';
  return patterns.search(regex, valueText(value)) ? null : `${which} value does not match required RegEx pattern`;
}
