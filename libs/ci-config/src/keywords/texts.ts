import type { Value } from '../yaml/values.js';
import type { Place } from './place.js';

const deepestNesting = 10;

/** Flattens nested lists (they come from `!reference`), up to 10 levels; null when deeper. */
export function flattenList(list: readonly Value[], level = 1): Value[] | null {
  if (level > deepestNesting) return null;
  const flat: Value[] = [];
  for (const item of list) {
    if (!Array.isArray(item)) {
      flat.push(item);
      continue;
    }
    const nested = flattenList(item, level + 1);
    if (!nested) return null;
    for (const value of nested) flat.push(value);
  }
  return flat;
}

export function isTextList(value: Value | undefined): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** `script` and its kin: a text, or texts in lists up to 10 deep; flattened (ci-config.md §5.7). */
export function readScript(place: Place): string[] {
  if (typeof place.value === 'string') return [place.value];
  const lines = Array.isArray(place.value) ? flattenList(place.value) : null;
  if (lines && isTextList(lines)) return lines;
  place.problem('config should be a string or a nested array of strings up to 10 levels deep');
  return [];
}

/** A list of texts, with a single text standing for a list where `single` allows it. */
export function readTexts(place: Place, sentence = 'config should be an array of strings'): string[] {
  if (isTextList(place.value)) return place.value;
  place.problem(sentence);
  return [];
}

/** A text under a key; undefined when absent or, after a note, when it is something else. */
export function readText(place: Place, key: string): string | undefined {
  const value = place.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  place.problem(`${key.replaceAll('_', ' ')} should be a string`, key);
  return undefined;
}

/** A boolean under a key. */
export function readBoolean(place: Place, key: string): boolean | undefined {
  const value = place.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  place.problem(`${key.replaceAll('_', ' ')} should be a boolean value`, key);
  return undefined;
}

/** One of some words under a key. */
export function readWord<Word extends string>(place: Place, key: string, words: readonly Word[]): Word | undefined {
  const value = place.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && (words as readonly string[]).includes(value)) return value as Word;
  place.problem(`${key.replaceAll('_', ' ')} should be one of: ${words.join(', ')}`, key);
  return undefined;
}

/** A list of texts, or one text, under a key. */
export function readTextOrTexts(place: Place, key: string): string[] | undefined {
  const value = place.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return [value];
  if (isTextList(value)) return value;
  place.problem(`${key.replaceAll('_', ' ')} should be an array of strings or a string`, key);
  return undefined;
}

/** A list of texts under a key. */
export function readTextList(place: Place, key: string): string[] | undefined {
  const value = place.get(key);
  if (value === undefined || value === null) return undefined;
  if (isTextList(value)) return value;
  place.problem(`${key.replaceAll('_', ' ')} should be an array of strings`, key);
  return undefined;
}
