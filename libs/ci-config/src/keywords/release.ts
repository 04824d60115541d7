import type { Release } from '../job.js';
import { toPlain } from '../yaml/plain.js';
import { YamlMap } from '../yaml/values.js';
import { withoutUndefined } from './artifacts.js';
import type { Place } from './place.js';
import { readText, readTextOrTexts } from './texts.js';

const keys = new Set(['tag_name', 'tag_message', 'name', 'description', 'ref', 'released_at', 'milestones', 'assets']);

/** `release`, checked in shape and carried: what a job that ends well publishes. */
export function readRelease(place: Place): Release | undefined {
  if (!(place.value instanceof YamlMap)) {
    place.problem('config should be a hash');
    return undefined;
  }
  place.checkKeys(keys);
  const tagName = readText(place, 'tag_name') ?? '';
  const description = readText(place, 'description') ?? '';
  if (tagName === '') place.problem("tag name can't be blank", 'tag_name');
  if (description === '') place.problem("description can't be blank", 'description');
  const releasedAt = readText(place, 'released_at');
  if (releasedAt !== undefined && Number.isNaN(Date.parse(releasedAt)))
    place.problem('released at must be a valid datetime', 'released_at');
  const assets = place.get('assets') ?? null;
  if (assets !== null && !(assets instanceof YamlMap)) place.child('assets').problem('config should be a hash');
  return withoutUndefined<Release>({
    tagName,
    tagMessage: readText(place, 'tag_message'),
    name: readText(place, 'name'),
    description,
    ref: readText(place, 'ref'),
    releasedAt,
    milestones: readTextOrTexts(place, 'milestones'),
    assets: assets instanceof YamlMap ? (toPlain(assets) as Record<string, unknown>) : undefined,
  });
}
