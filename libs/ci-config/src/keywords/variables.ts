import type { Variable } from '../job.js';
import { YamlMap, isScalar, scalarText, type Value } from '../yaml/values.js';
import type { Place } from './place.js';

/** Where variables stand decides which forms they may take (ci-config.md §4.2). */
const dataKeys = { root: ['value', 'description', 'expand', 'options'], job: ['value', 'expand'], rule: [] } as const;

/** Variables of a map: scalars become text as Ruby prints them, null the empty text, `expand: false` marks one raw. */
export function readVariables(place: Place, level: keyof typeof dataKeys): Variable[] {
  if (place.value === null) return [];
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return [];
  }
  const variables: Variable[] = [];
  for (const [key, value] of place.value) {
    const variable = readVariable(place.child(key), key, value, level);
    if (variable) variables.push(variable);
  }
  return variables;
}

function readVariable(place: Place, key: string, value: Value, level: keyof typeof dataKeys): Variable | null {
  const text = valueText(value);
  if (text !== null) return { key, value: text };
  if (!(value instanceof YamlMap) || level === 'rule') {
    place.exactProblem('variable definition must be either a string or a hash');
    return null;
  }
  const unknown = [...value.keys()].filter((name) => !(dataKeys[level] as readonly string[]).includes(name));
  if (unknown.length > 0) {
    place.problem(`config uses invalid data keys: ${unknown.join(', ')}`);
    return null;
  }
  return readDefinition(place, key, value);
}

function readDefinition(place: Place, key: string, definition: YamlMap): Variable | null {
  const value = valueText(definition.get('value') ?? null);
  if (value === null) {
    place.problem('config value must be an alphanumeric string');
    return null;
  }
  const expand = definition.get('expand');
  if (expand !== undefined && expand !== null && typeof expand !== 'boolean')
    place.problem('config expand should be a boolean value');
  const options = definition.get('options');
  if (options !== undefined && options !== null) {
    if (!Array.isArray(options)) place.problem('config options should be an array of strings');
    else if (!options.some((option) => valueText(option) === value))
      place.problem('config value must be present in options');
  }
  return { key, value, ...(expand === false && { raw: true }) };
}

/** A variable that a person who runs a pipeline is asked for. */
export interface DescribedVariable {
  key: string;
  value: string;
  description: string;
  /** The values that it may have; absent: any. */
  options?: string[];
}

/** Those of the variables at the root that have a description, wherever they are sound. */
export function describedVariables(place: Place): DescribedVariable[] {
  if (!(place.value instanceof YamlMap)) return [];
  return [...place.value].flatMap(([key, definition]) => {
    if (!(definition instanceof YamlMap)) return [];
    const description = definition.get('description');
    const value = valueText(definition.get('value') ?? null);
    if (typeof description !== 'string' || value === null) return [];
    const options = definition.get('options');
    return [
      {
        key,
        value,
        description,
        ...(Array.isArray(options) && { options: options.map((one) => valueText(one) ?? '') }),
      },
    ];
  });
}

function valueText(value: Value): string | null {
  if (value === null) return '';
  return isScalar(value) ? scalarText(value) : null;
}
