import type { Answer } from './http-client.js';

/** What a running job does after an answer. */
export type Reaction = 'go-on' | 'cancel' | 'abort' | 'retry';

/** What the end of a job does after the answer to its final PUT. */
type FinalReaction = 'done' | 'again' | 'resend-log' | 'retry';

type Outline = Pick<Answer, 'status' | 'headers'>;

/** `Job-Status` says that the job is no longer ours to run, or the token is refused. */
function isOver({ status, headers }: Outline): boolean {
  return headers['job-status'] === 'canceled' || headers['job-status'] === 'failed' || status === 403;
}

/** Answer to a PUT of a running job, the first one (where `abort` drops the job) or a keep-alive (runner-api.md §3.2). */
export function reactToUpdate(answer: Outline): Reaction {
  if (isOver(answer) || answer.status === 404) return 'abort';
  if (answer.headers['job-status'] === 'canceling') return 'cancel';
  return 'go-on';
}

/**
 * Answer to a PATCH of the log (runner-api.md §4.2). `retry` keeps the bytes for the next try; 416 is read by the sender, which
 * knows the offsets.
 */
export function reactToTrace(answer: Outline): Reaction {
  if (isOver(answer)) return 'abort';
  if (answer.headers['job-status'] === 'canceling') return 'cancel';
  return answer.status === 202 ? 'go-on' : 'retry';
}

/** Answer to the final PUT (runner-api.md §3.2). */
export function reactToFinalUpdate(answer: Outline): FinalReaction {
  if (isOver(answer) || answer.status === 200 || answer.status === 404) return 'done';
  if (answer.status === 202) return 'again';
  if (answer.status === 412) return 'resend-log';
  return 'retry';
}

/** Update interval of an answer in milliseconds; undefined where it sends none; capped at 15 minutes (runner-api.md §3.2). */
export function updateInterval({ headers }: Pick<Answer, 'headers'>): number | undefined {
  const header = headers['x-gitlab-trace-update-interval'];
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header) || Number(header) === 0) return undefined;
  return Math.min(Number(header), 900) * 1000;
}
