/** Thrown by a handler: trying again cannot help. The message is parked at once, with this reason (no secrets: operators read it). */
export class Unprocessable extends Error {
  override readonly name = 'Unprocessable';
}

/** Thrown by a handler: not now. The message comes back after at least `delayMs` (the nearest retry queue), and no attempt is counted. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';

  constructor(
    readonly delayMs: number,
    reason = 'put off by its handler',
  ) {
    super(reason);
  }
}

/** Thrown by a batch handler: these messages failed, each in its own way, and all others of the batch are done. */
export class BatchFailures extends Error {
  override readonly name = 'BatchFailures';

  /** @param errors by message id; `Unprocessable` and `RetryLater` mean what they mean when thrown alone */
  constructor(readonly errors: ReadonlyMap<string, unknown>) {
    super(`${errors.size} of the batch failed`);
  }
}

/** What becomes of a message whose handler failed. */
export type Fate =
  { readonly retry: { readonly afterMs: number; readonly attempt: number } } | { readonly park: string };

/** Where the handler gives no waiting times, `RetryLater` still needs one. */
const ONLY_DELAY = 1000;

/** The retry queues of a handler, in milliseconds, growing. */
export function retryQueues(delaysMs: readonly number[]): readonly number[] {
  return delaysMs.length === 0 ? [ONLY_DELAY] : [...new Set(delaysMs)].sort((a, b) => a - b);
}

/**
 * Decides what becomes of a message.
 * @param error what its handler threw
 * @param attempt the attempt that failed, from 1
 * @param delaysMs the waiting times before further attempts
 */
export function decideFate(error: unknown, attempt: number, delaysMs: readonly number[]): Fate {
  if (error instanceof Unprocessable) return { park: error.message };
  if (error instanceof RetryLater) {
    const queues = retryQueues(delaysMs);
    const afterMs = queues.find((delay) => delay >= error.delayMs) ?? queues.at(-1)!;
    return { retry: { afterMs, attempt } };
  }
  const afterMs = delaysMs[attempt - 1];
  if (afterMs !== undefined) return { retry: { afterMs, attempt: attempt + 1 } };
  return { park: `failed ${attempt} ${attempt === 1 ? 'time' : 'times'}, at last: ${describe(error)}` };
}

/** One line about an error, for a reason or a log line. */
export function describe(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0]!.slice(0, 500);
}
