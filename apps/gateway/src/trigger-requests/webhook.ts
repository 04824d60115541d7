import type { IncomingHttpHeaders } from 'node:http';
import type { SentParameters } from '../http/request-parameters.js';

/** Headers by which the webhooks of git hosts name their event. */
const eventHeaders = ['x-gitlab-event', 'x-github-event', 'x-gitea-event', 'x-gogs-event', 'x-event-key'];

/** Whether a git host's webhook calls. */
export function isWebhook(headers: IncomingHttpHeaders): boolean {
  return eventHeaders.some((name) => headers[name] !== undefined);
}

/** A pipeline's own webhook must not start the next one, round and round (trigger-api.md §1.3 step 3). */
export function isPipelineHook(headers: IncomingHttpHeaders): boolean {
  return headers['x-gitlab-event'] === 'Pipeline Hook';
}

/**
 * Why a webhook's event has nothing to start, in a sentence for the log of the git host; null when it has.
 *
 * @param refInUrl whether the URL names the ref; then what happened to the webhook's own ref does not matter, as in GitLab
 */
export function nothingToStart(headers: IncomingHttpHeaders, sent: SentParameters, refInUrl: boolean): string | null {
  const event = headers['x-github-event'] ?? headers['x-gitea-event'] ?? headers['x-gogs-event'];
  if (event === 'ping' || (typeof sent['zen'] === 'string' && sent['hook_id'] !== undefined))
    return 'This is a ping: the webhook works, and there is nothing to start';
  if (refInUrl) return null;
  const goneSha = typeof sent['after'] === 'string' && /^0{40}(0{24})?$/.test(sent['after']);
  if (event === 'delete' || goneSha) return 'The branch or tag was deleted: there is nothing to start';
  return null;
}
