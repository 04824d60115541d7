import { DUMP_SCHEMA, defineMappingTag, defineScalarTag, dump } from 'js-yaml';
import { Float, Reference, YamlMap, scalarText, type Value } from './values.js';

/** JSON shape of a value that is carried on as it was written. */
export function toPlain(value: Value): unknown {
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof YamlMap) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]));
  if (value instanceof Float) return value.value;
  if (value instanceof Reference) return [...value.path];
  return typeof value === 'bigint' ? value.toString() : value;
}

const schema = DUMP_SCHEMA.withTags(
  defineMappingTag<Map<string, Value>>('tag:yaml.org,2002:map', {
    create: () => new Map(),
    addPair: () => '',
    has: () => false,
    keys: (map) => map.keys(),
    get: (map, key) => map.get(key as string),
    identify: (value) => value instanceof Map,
    represent: (map) => map as Map<unknown, unknown>,
  }),
  defineScalarTag<unknown>('tag:yaml.org,2002:float', {
    implicit: true,
    resolve: (source) => source,
    identify: (value) => value instanceof Float,
    represent: (value: Float) => scalarText(value),
  }),
  defineScalarTag<unknown>('tag:yaml.org,2002:int', {
    implicit: true,
    resolve: (source) => source,
    identify: (value) => typeof value === 'bigint' || typeof value === 'number',
    represent: (value: number | bigint) => String(value),
  }),
);

/** Writes a value as YAML that reads back as the same value; shared parts are written out each time. */
export function writeYaml(value: Value): string {
  return dump(value, { schema, noRefs: true, lineWidth: -1 });
}
