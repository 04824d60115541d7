import type { Artifacts } from '../job.js';
import { toPlain } from '../yaml/plain.js';
import { YamlMap } from '../yaml/values.js';
import { parseDuration } from './duration.js';
import type { Place } from './place.js';
import { readBoolean, readText, readTextList, readWord } from './texts.js';

const keys = new Set([
  'name',
  'untracked',
  'paths',
  'reports',
  'when',
  'expire_in',
  'expose_as',
  'exclude',
  'public',
  'access',
]);

/** `artifacts`, checked in shape and carried (ci-config.md §1). */
export function readArtifacts(place: Place): Artifacts | undefined {
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return undefined;
  }
  place.checkKeys(keys);
  const reports = place.get('reports');
  if (reports !== undefined && reports !== null && !(reports instanceof YamlMap))
    place.problem('reports should be a hash', 'reports');
  const expireIn = readText(place, 'expire_in');
  if (expireIn !== undefined && expireIn !== 'never' && parseDuration(expireIn) === null)
    place.problem('expire in should be a duration', 'expire_in');
  return withoutUndefined<Artifacts>({
    name: readText(place, 'name'),
    paths: readTextList(place, 'paths'),
    exclude: readTextList(place, 'exclude'),
    untracked: readBoolean(place, 'untracked'),
    when: readWord(place, 'when', ['on_success', 'on_failure', 'always']),
    expireIn,
    exposeAs: readText(place, 'expose_as'),
    public: readBoolean(place, 'public'),
    access: readWord(place, 'access', ['none', 'developer', 'maintainer', 'all']),
    reports: reports instanceof YamlMap ? (toPlain(reports) as Record<string, unknown>) : undefined,
  });
}

/** `pages: true`, or a map with `publish`: its directory is an artifact. */
export function withPublishedPages(artifacts: Artifacts | undefined, directory: string): Artifacts {
  const paths = artifacts?.paths ?? [];
  return { ...artifacts, paths: paths.includes(directory) ? paths : [...paths, directory] };
}

export function withoutUndefined<Shape extends object>(shape: { [Key in keyof Shape]: Shape[Key] | undefined }): Shape {
  const result: Partial<Shape> = {};
  for (const key of Object.keys(shape) as (keyof Shape)[]) if (shape[key] !== undefined) result[key] = shape[key];
  return result as Shape;
}
