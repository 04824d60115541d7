import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameters } from '#libs/contracts';
import type { TriggerRequest } from './ledger.js';

/** How long a request may be repeated under its key, and longer while it has no outcome. */
export const keptHours = 24;

/** Git hosts' webhooks name each delivery; other headers are nobody's promise that two calls are one. */
const headerNames = ['idempotency-key', 'webhook-id'] as const;
const longestKey = 255;

/** Under what a request may be repeated, and what it asks for; hashes, since a key may be as good as a secret to whoever chose it. */
export interface IdempotencyKey {
  hash: Buffer;
  fingerprint: Buffer;
  /** Known to who sends both the key and the token, and kept nowhere. */
  secret: Buffer;
}

/**
 * The key that a caller sent, if any. `Idempotency-Key` may be quoted, as the IETF's draft has it (a string of RFC 8941), and is the same key then.
 * @returns undefined where there is none: each call is then a request of its own, however alike they are
 * @throws Refusal 400 when it is empty, too long or not printable
 */
export function sentKey(headers: IncomingHttpHeaders): string | undefined {
  for (const name of headerNames) {
    const sent = headers[name];
    if (sent === undefined) continue;
    const value = name === 'idempotency-key' && typeof sent === 'string' ? unquoted(sent) : sent;
    if (typeof value !== 'string' || value.length > longestKey || !/^[\x21-\x7e][\x20-\x7e]*$/.test(value))
      throw invalidParameters(`${name} is invalid: give up to ${longestKey} printable characters`);
    return value;
  }
  return undefined;
}

/** The text between quotes; in it a backslash stands before quotes and backslashes. What is not quoted as it should be is taken as it is. */
function unquoted(value: string): string {
  const [, quoted] = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value) ?? [];
  return quoted === undefined ? value : quoted.replace(/\\(.)/g, '$1');
}

/**
 * A key counts for one trigger alone, or for the one job whose token was used: nobody meets the keys of others.
 * @param token that the caller sent
 */
export function idempotencyKey(key: string, request: TriggerRequest, token: string): IdempotencyKey {
  const scope = request.trigger ? `trigger ${request.trigger.id}` : `job ${request.upstream?.jobId}`;
  const { projectId, ref, payload } = request;
  return {
    hash: sha256(scope, key),
    fingerprint: sha256(String(projectId), ref, contentOf(payload)),
    secret: sha256('status', token, key),
  };
}

/** What a payload says, in whatever order it was sent and however the URL named the project: neither makes another request. */
function contentOf(payload: string): string {
  const { id: _id, ...parameters } = JSON.parse(payload) as Record<string, unknown>;
  return JSON.stringify(inOrder(parameters));
}

/** Maps as their pairs, so that no name is special. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const pairs = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return { map: pairs.map(([name, inner]) => [name, inOrder(inner)]) };
}

/**
 * The secret part of the status URL of a request that was made with a key: the same for every call that repeats it, without being kept. Nobody can
 * tell it who does not know the token, so it is as good as a random one.
 */
export function derivedStatusToken({ secret }: IdempotencyKey, requestId: string): string {
  return createHmac('sha256', secret).update(requestId).digest('hex').slice(0, 32);
}

function sha256(...parts: string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}
