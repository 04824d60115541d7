/** Why a job failed, in GitLab's words (runner-api.md §3.3). */
type FailureReason = 'script_failure' | 'runner_system_failure' | 'job_execution_timeout' | 'job_canceled';

/** `message`: the log's last line after "ERROR: Job failed: ". */
export type JobOutcome =
  { state: 'success' } | { state: 'failed'; reason: FailureReason; message: string; exitCode?: number };

/** Why a job is ended from outside at once, without after_script. */
export type AbortCause = 'canceled' | 'timeout' | 'runner-stopped';

/**
 * The reason as the coordinator understands it: only the first three are understood by all, `job_canceled` is `unknown_failure` for
 * one that does not list it (runner-api.md §3.3).
 */
export function reportableReason(reason: FailureReason, understood: readonly string[]): string {
  return reason === 'job_canceled' && !understood.includes(reason) ? 'unknown_failure' : reason;
}

/** @param timeoutSeconds the job's limit, for the message */
export function abortedOutcome(cause: AbortCause, timeoutSeconds: number): JobOutcome {
  switch (cause) {
    case 'canceled':
      return { state: 'failed', reason: 'job_canceled', message: 'canceled' };
    case 'timeout':
      return {
        state: 'failed',
        reason: 'job_execution_timeout',
        message: `execution took longer than ${timeoutSeconds} seconds`,
      };
    case 'runner-stopped':
      return { state: 'failed', reason: 'runner_system_failure', message: 'the runner was stopped' };
  }
}
