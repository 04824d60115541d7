import type { Status } from '#libs/contracts';
import type { JobHappening } from '../pipelines/job.status.js';

/** How a job goes with the pipeline that it stands for: GitLab's words, `mirror` also for `needs: pipeline`. */
export type Strategy = 'depend' | 'mirror';

/**
 * What happens to a running job whose pipeline has this status; null while that goes on (ci-config.md §6.5). With `depend` only a pipeline that
 * succeeded is a success; with `mirror` one that had nothing to do is skipped too.
 */
export function followed(
  strategy: Strategy,
  status: Status,
): Extract<JobHappening, 'succeed' | 'fail' | 'cancel' | 'skip'> | null {
  switch (status) {
    case 'success':
      return 'succeed';
    case 'failed':
      return 'fail';
    case 'canceled':
      return 'cancel';
    case 'skipped':
      return strategy === 'mirror' ? 'skip' : 'fail';
    default:
      return null;
  }
}
