import type { Artifacts, Cache, Image, Retry, Service } from '../job.js';
import { YamlMap, type Value } from '../yaml/values.js';
import { readArtifacts } from './artifacts.js';
import { readCaches } from './cache.js';
import { oneMonth, parseDuration } from './duration.js';
import { readImage, readServices } from './image.js';
import type { Place } from './place.js';
import { readRetry } from './retry.js';
import { isTextList, readScript } from './texts.js';

/** Keywords that `default` may set for all jobs (ci-config.md §5.6), in normal form. */
export interface DefaultKeywords {
  before_script?: string[];
  after_script?: string[];
  hooks?: { preGetSourcesScript: string[] };
  image?: Image;
  services?: Service[];
  cache?: Cache[];
  artifacts?: Artifacts;
  tags?: string[];
  retry?: Retry;
  /** Seconds. */
  timeout?: number;
  interruptible?: boolean;
}

const readers: { [Key in keyof Required<DefaultKeywords>]: (place: Place) => DefaultKeywords[Key] } = {
  before_script: readScript,
  after_script: readScript,
  hooks: readHooks,
  image: readImage,
  services: readServices,
  cache: readCaches,
  artifacts: readArtifacts,
  tags: readTags,
  retry: readRetry,
  timeout: readTimeout,
  interruptible: readInterruptible,
};

export const defaultKeys = Object.keys(readers) as (keyof DefaultKeywords)[];
/** Those that may also stand at the root, as they did before there was `default`. */
export const rootDefaultKeys = ['image', 'services', 'before_script', 'after_script', 'cache'] as const;

const keysOfDefault: ReadonlySet<string> = new Set([...defaultKeys, 'id_tokens']);
const hookKeys = new Set(['pre_get_sources_script']);
const tagsAtMost = 50;

/** Reads those of the keywords that are set: present and not null. */
export function readDefaultKeywords(
  place: Place,
  keys: readonly (keyof DefaultKeywords)[] = defaultKeys,
): DefaultKeywords {
  const set: Partial<Record<keyof DefaultKeywords, unknown>> = {};
  for (const key of keys) if (place.has(key)) set[key] = place.checks.once<unknown>(readers[key], place.child(key));
  return set as DefaultKeywords;
}

/** `default:` and the same keywords at the root, which must not both say the same. */
export function readDefaults(root: Place): DefaultKeywords {
  const atRoot = readDefaultKeywords(root, rootDefaultKeys);
  if (!root.has('default')) return atRoot;
  const place = root.child('default', 'default');
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return atRoot;
  }
  place.checkKeys(keysOfDefault);
  place.refuseKeys(['id_tokens']);
  for (const key of rootDefaultKeys)
    if (place.has(key) && root.has(key))
      root.exactProblem(`${key} is defined in top-level and \`default:\` entry`, key);
  return { ...atRoot, ...readDefaultKeywords(place) };
}

const everything = () => true;
const nothing = () => false;

/** What of the defaults a job takes: `inherit: default: false`, or a list of names. */
export function readInheritance(job: Place, what: 'default' | 'variables'): (name: string) => boolean {
  const value: Value | undefined = job.has('inherit') ? job.child('inherit').get(what) : undefined;
  if (value === undefined || value === null || value === true) return everything;
  if (value === false) return nothing;
  if (isTextList(value)) {
    const unknown = what === 'default' ? value.filter((name) => !keysOfDefault.has(name)) : [];
    if (unknown.length > 0)
      job
        .child('inherit')
        .child(what)
        .problem(`config contains unknown values: ${unknown.join(', ')}`);
    const names = new Set(value);
    return (name) => names.has(name);
  }
  job.child('inherit').child(what).problem('should be a bool or array of strings');
  return () => true;
}

function readHooks(place: Place): { preGetSourcesScript: string[] } {
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return { preGetSourcesScript: [] };
  }
  place.checkKeys(hookKeys);
  return {
    preGetSourcesScript: place.has('pre_get_sources_script') ? readScript(place.child('pre_get_sources_script')) : [],
  };
}

function readTags(place: Place): string[] {
  if (!isTextList(place.value)) {
    place.problem('config should be an array of strings');
    return [];
  }
  if (place.value.length >= tagsAtMost) place.problem(`config must be less than the limit of ${tagsAtMost} tags`);
  return [...new Set(place.value)];
}

function readTimeout(place: Place): number | undefined {
  const seconds = typeof place.value === 'string' ? parseDuration(place.value) : null;
  if (seconds === null || seconds <= 0) {
    place.problem('config should be a duration');
    return undefined;
  }
  if (seconds > oneMonth) place.problem('config should not exceed the limit');
  return seconds;
}

function readInterruptible(place: Place): boolean | undefined {
  if (typeof place.value === 'boolean') return place.value;
  place.problem('config should be a boolean value');
  return undefined;
}
