import type { AutoCancel } from '#libs/ci-config';

/** A job of a pipeline that is superseded, as far as it decides. */
export interface JobToCancel {
  started: boolean;
  interruptible: boolean;
}

/**
 * Which jobs a pipeline loses when there is one for a newer commit (ci-config.md §6.5): `conservative`, the default, takes all or none, depending
 * on whether a job that must not be interrupted has begun. A pipeline whose file says nothing of the matter keeps its jobs: somebody has asked for
 * it. Pure.
 */
export function redundantJobs(
  autoCancel: AutoCancel | null,
  jobs: readonly JobToCancel[],
): 'all' | 'interruptible' | 'none' {
  if (!autoCancel && !jobs.some(({ interruptible }) => interruptible)) return 'none';
  switch (autoCancel?.onNewCommit ?? 'conservative') {
    case 'none':
      return 'none';
    case 'interruptible':
      return 'interruptible';
    case 'conservative':
      return jobs.some(({ started, interruptible }) => started && !interruptible) ? 'none' : 'all';
  }
}
