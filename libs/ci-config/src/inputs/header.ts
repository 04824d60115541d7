import { ConfigError } from '../config-error.js';
import { Patterns } from '../expressions/pattern.js';
import { Checks, Place } from '../keywords/place.js';
import type { Limits } from '../limits.js';
import type { FindVariable } from '../variables/expand-variables.js';
import { YamlMap, type Value } from '../yaml/values.js';
import { readInputDefinitions } from './input-definitions.js';
import { resolveInputs } from './input-values.js';
import { interpolate } from './interpolation.js';

/** The documents of one file: an optional header, whose only key is `spec`, and the configuration itself. */
export interface Documents {
  header?: YamlMap;
  content: Value;
}

/** Tells the header from the content. Throws ConfigError when there are more documents than that. */
export function splitHeader(documents: readonly Value[]): Documents {
  const all = [...documents];
  while (all.length > 1 && all.at(-1) === null) all.pop();
  const [first = null] = all;
  const hasHeader = first instanceof YamlMap && first.has('spec') && documents.length > 1;
  if (all.length > (hasHeader ? 2 : 1))
    throw new ConfigError('Only one document is allowed, or two when the first one has the key `spec`');
  return hasHeader ? { header: first, content: all[1] ?? null } : { content: first };
}

/** What inputs are resolved with. */
export interface InputSurroundings {
  /** Values for the inputs, by name. */
  given: ReadonlyMap<string, Value>;
  /** For the function `expand_vars`. */
  find: FindVariable;
  patterns: Patterns;
  limits: Limits;
}

/**
 * Steps 1 and 2 of ci-config.md §0: the content with `$[[ inputs.x ]]` replaced by the inputs that the header declares (§5.9).
 * Throws ConfigError; what is wrong with the inputs comes in one message, in the order of the header.
 */
export function applyInputs({ header, content }: Documents, surroundings: InputSurroundings): Value {
  const { given } = surroundings;
  if (!header) {
    if (given.size > 0) throw new ConfigError(`unknown input arguments: ${[...given.keys()].join(', ')}`);
    return content;
  }
  const checks = new Checks();
  const definitions = readInputDefinitions(Place.root(header, checks, 'header'));
  checks.throwFirst();
  const { values, errors } = resolveInputs(definitions, given, surroundings.patterns);
  if (errors.length > 0) throw new ConfigError(errors.join(', '), ['spec', 'inputs'], header.positionOf('spec'));
  return interpolate(content, { ...surroundings, values });
}
