import type { IncomingHttpHeaders } from 'node:http';
import { maskTokens } from './redaction.js';

/** What tells who called and which delivery it was, of the git hosts too. Credentials, cookies, signatures and addresses are not among them. */
const kept = new Set([
  'content-type',
  'user-agent',
  'prefer',
  'x-request-id',
  'x-gitlab-event',
  'x-gitlab-event-uuid',
  'x-gitlab-webhook-uuid',
  'x-gitlab-instance',
  'x-github-event',
  'x-github-delivery',
  'x-github-hook-id',
  'x-gitea-event',
  'x-gitea-delivery',
  'x-gogs-event',
  'x-gogs-delivery',
  'x-event-key',
  'x-request-uuid',
]);
/** May be as good as a secret to whoever chose them: only that they were there is kept. */
const keys = new Set(['idempotency-key', 'webhook-id']);
const longestValue = 256;

/** The headers of a trigger call that its record keeps. */
export function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (kept.has(name) && typeof value === 'string') found[name] = maskTokens(value.slice(0, longestValue));
    else if (keys.has(name)) found[name] = '[REDACTED]';
  }
  return found;
}
