import type { Cache } from '../job.js';
import { YamlMap, isScalar, scalarText } from '../yaml/values.js';
import { withoutUndefined } from './artifacts.js';
import type { Place } from './place.js';
import { isTextList, readBoolean, readText, readTextList, readWord } from './texts.js';

const keys = new Set(['key', 'untracked', 'paths', 'when', 'policy', 'unprotect', 'fallback_keys']);
const keyKeys = new Set(['files', 'files_commits', 'prefix']);
const cachesAtMost = 4;

/** `cache`: a map or a list of up to four. */
export function readCaches(place: Place): Cache[] {
  if (place.value instanceof YamlMap) return [readCache(place)];
  if (!Array.isArray(place.value) || !place.value.every((value) => value instanceof YamlMap)) {
    place.problem('config should be a hash or an array of hashes');
    return [];
  }
  if (place.value.length > cachesAtMost) place.problem(`config can only have ${cachesAtMost} caches`);
  return place.value.map((value, index) => readCache(place.item('cache', index, value)));
}

function readCache(place: Place): Cache {
  place.checkKeys(keys);
  const policy = readText(place, 'policy') ?? 'pull-push';
  // A variable may stand for the policy; the runner's side resolves it.
  if (!['pull-push', 'push', 'pull'].includes(policy) && !policy.includes('$'))
    place.problem('policy should be a variable or one of: pull-push, push, pull', 'policy');
  return withoutUndefined<Cache>({
    key: readKey(place),
    fallbackKeys: readTextList(place, 'fallback_keys'),
    paths: readTextList(place, 'paths'),
    untracked: readBoolean(place, 'untracked'),
    unprotect: readBoolean(place, 'unprotect'),
    policy,
    when: readWord(place, 'when', ['on_success', 'on_failure', 'always']) ?? 'on_success',
  });
}

function readKey(cache: Place): Cache['key'] {
  if (!cache.has('key')) return undefined;
  const place = cache.child('key');
  if (isScalar(place.value)) return scalarText(place.value);
  if (!(place.value instanceof YamlMap)) {
    place.problem('should be a hash, a string or a symbol');
    return undefined;
  }
  place.checkKeys(keyKeys);
  for (const key of ['files', 'files_commits']) {
    const files = place.get(key);
    if (isTextList(files) && (files.length < 1 || files.length > 2))
      place.problem(`${key.replace('_', ' ')} requires at least 1 item and has at most 2`, key);
  }
  return withoutUndefined<Exclude<Cache['key'], string | undefined>>({
    files: readTextList(place, 'files'),
    filesCommits: readTextList(place, 'files_commits'),
    prefix: readText(place, 'prefix'),
  });
}
