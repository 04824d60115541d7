/** Why a job failed, in GitLab's words (runner-api.md §3.3). */
type FailureReason =
  | 'script_failure'
  | 'runner_system_failure'
  | 'job_execution_timeout'
  | 'job_canceled'
  | 'image_pull_failure'
  | 'runner_configuration_error';

/** `message`: the log's last line after "ERROR: Job failed: ". */
export type JobOutcome =
  { state: 'success' } | { state: 'failed'; reason: FailureReason; message: string; exitCode?: number };

/** What went wrong in the work of one stage and is neither the script's nor the machine's doing. */
export class StageFailure extends Error {
  constructor(
    readonly reason: FailureReason,
    message: string,
  ) {
    super(message);
  }
}

/** Why a job is ended from outside at once, without after_script. */
export type AbortCause = 'canceled' | 'timeout' | 'runner-stopped';

/** What stands for a reason that a coordinator does not list as understood; the first three are understood by all. */
const REPLACEMENTS: Partial<Record<FailureReason, string>> = {
  job_canceled: 'unknown_failure',
  image_pull_failure: 'runner_system_failure',
  runner_configuration_error: 'script_failure',
};

/** The reason as the coordinator understands it (runner-api.md §3.3). */
export function reportableReason(reason: FailureReason, understood: readonly string[]): string {
  return understood.includes(reason) ? reason : (REPLACEMENTS[reason] ?? reason);
}

export const CANCELED: JobOutcome = { state: 'failed', reason: 'job_canceled', message: 'canceled' };

/** @param timeoutSeconds the job's limit, for the message */
export function timeoutOutcome(timeoutSeconds: number): JobOutcome {
  const message = `execution took longer than ${timeoutSeconds} seconds`;
  return { state: 'failed', reason: 'job_execution_timeout', message };
}

export function abortedOutcome(cause: AbortCause, timeoutSeconds: number): JobOutcome {
  switch (cause) {
    case 'canceled':
      return CANCELED;
    case 'timeout':
      return timeoutOutcome(timeoutSeconds);
    case 'runner-stopped':
      // Not `runner_interrupted`: a job that asks to be retried when its runner fails has no word for that.
      return { state: 'failed', reason: 'runner_system_failure', message: 'the runner was stopped' };
  }
}
