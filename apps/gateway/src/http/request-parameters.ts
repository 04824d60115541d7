import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { invalidParameters } from '#libs/contracts';
import { nestPairs } from './parameter-grammar.js';

/** Everything that was sent with a request, by name; the object has no prototype and keeps the order of arrival. */
export type SentParameters = Record<string, unknown>;

/** Parameters in the query string or in a form, as Rack counts them; a webhook that sends its payload as JSON is not counted by this. */
export const mostPairs = 4096;
const deepestJson = 100;

const remembered = Symbol('parameters');

/**
 * All parameters of a request as one shape, merged as trigger-api.md §0.2 says: the body wins over the query, the path over both. A name
 * keeps the place where it first came up.
 *
 * @throws Refusal 400 for NUL characters, what is no Unicode, names that would poison a prototype, excessive depth and malformed names
 */
export function requestParameters(request: FastifyRequest): SentParameters {
  const holder = request as FastifyRequest & { [remembered]?: SentParameters };
  return (holder[remembered] ??= mergeParameters(parseQuery(request.raw.url ?? ''), request.body, request.params));
}

/** The parameters of the query string of a URL. */
export function parseQuery(url: string): SentParameters {
  const start = url.indexOf('?');
  return start < 0 ? {} : parseUrlencoded(url.slice(start + 1), 'URL');
}

/**
 * @param where the text was found, for the caller
 * @throws Refusal 400 when there are too many, and for bad percent-encoding, which `URLSearchParams` would pass over
 */
export function parseUrlencoded(text: string, where: 'URL' | 'request body'): SentParameters {
  if (text.includes('%') && !isPercentEncoded(text))
    throw invalidParameters(`The ${where} is not properly percent-encoded`);
  const pairs = new URLSearchParams(text);
  if (pairs.size > mostPairs) throw tooManyParameters();
  return nestPairs(pairs);
}

/** A percent sign begins two hexadecimal digits everywhere, and the bytes are UTF-8. */
function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

export function tooManyParameters() {
  return invalidParameters(`There are more than ${mostPairs} parameters`);
}

/** Merges and checks; what is not a map in the body (JSON's null, a list, bytes) holds no parameters. */
export function mergeParameters(query: SentParameters, body: unknown, path: unknown): SentParameters {
  const merged = Object.create(null) as SentParameters;
  for (const source of [query, body, path]) {
    if (typeof source !== 'object' || source === null || Array.isArray(source)) continue;
    // A body that the route wants as bytes or as a stream holds no parameters.
    if (Buffer.isBuffer(source) || source instanceof Readable) continue;
    for (const [name, value] of Object.entries(source)) merged[name] = value;
  }
  for (const [name, value] of Object.entries(merged)) checkValue(name, name, value, 1);
  return merged;
}

/** Half of a character outside the basic plane, which JSON can write alone. */
const halfCharacter = /\p{Surrogate}/u;

/** PostgreSQL stores no NUL and no half characters, and a key `__proto__` is only ever sent to do harm. */
function checkValue(parameter: string, key: string, value: unknown, depth: number): void {
  if (key === '__proto__' || key.includes('\0') || halfCharacter.test(key))
    throw invalidParameters(`${printable(parameter)} is invalid`);
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalidParameters(`${printable(parameter)} contains a NUL character`);
    if (halfCharacter.test(value)) throw invalidParameters(`${printable(parameter)} is not valid Unicode`);
  } else if (typeof value === 'object' && value !== null) {
    if (depth > deepestJson) throw invalidParameters(`${printable(parameter)} is nested too deeply`);
    if (Array.isArray(value)) for (const item of value) checkValue(parameter, '', item, depth + 1);
    // Not `Object.entries`: of a million names it takes seconds to make pairs.
    else for (const inner in value) checkValue(parameter, inner, (value as SentParameters)[inner], depth + 1);
  }
}

function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '').slice(0, 100);
}
