import type { Status } from '#libs/contracts';

/**
 * The status that a pipeline shows, given what it showed and the composite status of its jobs (ci-config.md §6.2; null when it has none).
 * A pipeline that has been running never shows `pending` again: between two stages its jobs are pending for a moment, which nobody watching
 * would understand. One that had finished and starts again is `running` (architecture.md §4).
 *
 * @param started whether a job of it ever ran
 */
export function nextPipelineStatus(shown: Status, composite: Status | null, started: boolean): Status {
  if (composite === null) return shown;
  const waiting = composite === 'pending' || composite === 'created';
  return waiting && started ? 'running' : composite;
}

/** Statuses after which a pipeline's duration is known. */
export function isPipelineFinished(status: Status): boolean {
  return status === 'success' || status === 'failed' || status === 'canceled' || status === 'skipped';
}
