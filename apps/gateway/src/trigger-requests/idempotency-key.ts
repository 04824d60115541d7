import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameters } from '#libs/contracts';
import type { TriggerRequest } from './ledger.js';

/** How long a request may be repeated under its key. */
export const keptHours = 24;

/** Git hosts' webhooks name each delivery; other headers are nobody's promise that two calls are one. */
const headerNames = ['idempotency-key', 'webhook-id'] as const;
const longestKey = 255;

/** Under what a request may be repeated, and what it asks for; hashes, since a key may be as good as a secret to whoever chose it. */
export interface IdempotencyKey {
  hash: Buffer;
  fingerprint: Buffer;
}

/**
 * The key that a caller sent, if any.
 * @returns undefined where there is none: each call is then a request of its own, however alike they are
 * @throws Refusal 400 when it is empty, too long or not printable
 */
export function sentKey(headers: IncomingHttpHeaders): string | undefined {
  for (const name of headerNames) {
    const value = headers[name];
    if (value === undefined) continue;
    if (typeof value !== 'string' || value.length > longestKey || !/^[\x21-\x7e][\x20-\x7e]*$/.test(value))
      throw invalidParameters(`${name} is invalid: give up to ${longestKey} printable characters`);
    return value;
  }
  return undefined;
}

/** A key counts for one trigger alone, or for the one job whose token was used: nobody meets the keys of others. */
export function idempotencyKey(key: string, request: TriggerRequest): IdempotencyKey {
  const scope = request.trigger ? `trigger ${request.trigger.id}` : `job ${request.upstream?.jobId}`;
  const { projectId, ref, payload } = request;
  return { hash: sha256(scope, key), fingerprint: sha256(String(projectId), ref, payload) };
}

function sha256(...parts: string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}
