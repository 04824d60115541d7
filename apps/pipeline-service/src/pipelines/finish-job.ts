import type { Job } from '#libs/ci-config';
import type { Say } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import { settleEnvironment } from '../environments/environments.repository.js';
import { cancelPipelines, withChildren } from './cancel-pipelines.js';
import { repeatJobs } from './job-attempts.js';
import { isAllowedExit, isRetried } from './job-retry.js';
import { lockPipelines, type Moved, moveJob, moveJobs, processPipeline } from './statuses.repository.js';

/** How a job ended, as its runner, or whoever gave it up, says. */
export interface JobResult {
  success: boolean;
  /** Of a failed job; GitLab's word (runner-api.md §3.3). */
  failureReason?: string | null;
  exitCode?: number | null;
  /** Percent, taken from the log. */
  coverage?: number | null;
}

/**
 * Ends a job and lets its pipeline go on: one transaction with the pipeline locked. A failed job that asks for it is repeated at once
 * (ci-config.md §6.4); another one takes the others with it where the file says `on_job_failure: all`. Reporting the same end again is no fault.
 */
export async function finishJob(
  manager: EntityManager,
  say: Say,
  jobId: number,
  result: JobResult,
  now: Date,
): Promise<Moved> {
  const [job] = (await manager.query(
    `select pipeline_id as "pipelineId", definition, attempt, coalesce(auto_cancel ->> 'onJobFailure' = 'all', false) as "failsAll"
     from pipelines.jobs as job join pipelines.planned_jobs using (plan_id, position) join pipelines.plans as plan on plan.id = job.plan_id
     where job.id = $1`,
    [jobId],
  )) as {
    pipelineId: number;
    definition: Job;
    attempt: number;
    failsAll: boolean;
  }[];
  if (!job) return 'impossible';
  await lockPipelines(manager, [job.pipelineId]);
  const failureReason = result.failureReason ?? 'unknown_failure';
  const exitCode = result.exitCode ?? null;
  const moved = await moveJob(manager, say, jobId, result.success ? 'succeed' : 'fail', now, {
    failureReason,
    exitCode,
    coverage: result.coverage,
    allowFailure: !result.success && isAllowedExit(job.definition, exitCode) ? true : undefined,
  });
  if (moved !== 'moved') return moved;
  const [ended] = (await manager.query(
    'select status, allow_failure as "allowFailure" from pipelines.jobs where id = $1',
    [jobId],
  )) as { status: string; allowFailure: boolean }[];
  if (ended?.status === 'success' && job.definition.environment)
    await settleEnvironment(manager, jobId, job.definition.environment, now);
  if (ended?.status === 'failed' && isRetried(job.definition.retry, job.attempt, failureReason, exitCode)) {
    const attempts = await repeatJobs(manager, [jobId], null, now);
    await moveJobs(manager, say, [...attempts.values()], 'enqueue', now);
  } else if (ended?.status === 'failed' && !ended.allowFailure && job.failsAll) {
    const ids = await withChildren(manager, job.pipelineId);
    await lockPipelines(manager, ids);
    await cancelPipelines(manager, say, ids, now);
  }
  await processPipeline(manager, say, job.pipelineId, now);
  return moved;
}
