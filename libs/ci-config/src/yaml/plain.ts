import { DUMP_SCHEMA, NOT_RESOLVED, defineMappingTag, defineScalarTag, dump } from 'js-yaml';
import { ConfigError } from '../config-error.js';
import { looksLikeTime, resolvePlainScalar } from './scalars.js';
import { Float, Reference, YamlMap, scalarText, type Value } from './values.js';

/** JSON shape of a value that is carried on as it was written. */
export function toPlain(value: Value): unknown {
  if (Array.isArray(value)) return value.map(toPlain);
  if (value instanceof YamlMap) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]));
  if (value instanceof Float) return value.value;
  if (value instanceof Reference) return [...value.path];
  return typeof value === 'bigint' ? value.toString() : value;
}

const deepestJson = 100;

/** The value of a JSON shape, as for `toPlain`. Throws ConfigError when it is nested too deep. */
export function fromJson(json: unknown, depth = 0): Value {
  if (depth > deepestJson) throw new ConfigError('The parsed YAML is too big');
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1));
  if (typeof json === 'number') return Number.isSafeInteger(json) ? json : new Float(json);
  if (typeof json === 'string' || typeof json === 'boolean' || typeof json === 'bigint') return json;
  if (typeof json !== 'object' || json === null) return null;
  const map = new YamlMap();
  for (const [key, item] of Object.entries(json)) map.place(key, fromJson(item, depth + 1), 0);
  return map;
}

/** A scalar type whose texts are those that reading takes for it, so that other texts of the same look are quoted. */
function scalarTag(name: 'int' | 'float', isIt: (value: unknown) => boolean) {
  return defineScalarTag<unknown>(`tag:yaml.org,2002:${name}`, {
    implicit: true,
    resolve: (source) => {
      const value = /^[-+.0-9]/.test(source) && !looksLikeTime(source) ? resolvePlainScalar(source) : null;
      return isIt(value) ? value : NOT_RESOLVED;
    },
    identify: isIt,
    represent: (value: number | bigint | Float) => scalarText(value),
  });
}

const schema = DUMP_SCHEMA.withTags(
  defineMappingTag<Map<unknown, unknown>>('tag:yaml.org,2002:map', {
    create: () => new Map(),
    addPair: () => 'maps are only written here',
    has: () => false,
    keys: (map) => map.keys(),
    get: (map, key) => map.get(key),
    identify: (value) => value instanceof Map,
    represent: (map) => map,
  }),
  // Never written as such; makes a text like `:x`, which would read back as `x`, come in quotes.
  defineScalarTag<string>('!ruby/symbol', {
    implicit: true,
    resolve: (source) => (/^:./.test(source) ? source : NOT_RESOLVED),
    identify: () => false,
  }),
  scalarTag('float', (value) => value instanceof Float),
  scalarTag('int', (value) => typeof value === 'bigint' || typeof value === 'number'),
);

/** Writes a value as YAML that reads back as the same value; shared parts are written out each time. */
export function writeYaml(value: Value): string {
  return dump(value, { schema, noRefs: true, lineWidth: -1 });
}
