import type { JobOutline, RunnerReach } from '#libs/contracts';

/**
 * Whether a runner may take a job (runner-api.md §1.8). A guess that only decides who is worth waking: the pipeline service decides again with
 * what is true then.
 */
export function reaches(runner: RunnerReach, job: JobOutline): boolean {
  if (job.tags.length === 0 ? !runner.runUntagged : !job.tags.every((tag) => runner.tags.includes(tag))) return false;
  if (runner.protectedOnly && !job.protected) return false;
  return runner.projectIds === null || runner.projectIds.includes(job.projectId);
}
