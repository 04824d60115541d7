import type { Say } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import { isDownstream, type OrderedJob } from './downstream.js';
import { moveJobs } from './statuses.repository.js';

/**
 * Adds a new attempt of each of these jobs, which begins as `created`; the old ones count no more (ci-config.md §6.4). Only the latest
 * attempt of a job can be repeated, so of two that ask at once one gets nothing.
 *
 * @returns the new jobs' ids by those of the old ones
 */
export async function repeatJobs(
  manager: EntityManager,
  jobIds: number[],
  userId: number | null,
  now: Date,
): Promise<Map<number, number>> {
  const [rows] = (await manager.query(
    'update pipelines.jobs set retried = true, updated_at = $2 where id = any($1::bigint[]) and not retried returning id',
    [jobIds, now],
  )) as [{ id: number }[], number];
  const repeated = rows.map(({ id }) => id).sort((a, b) => a - b);
  if (repeated.length === 0) return new Map();
  const added = (await manager.query(
    `insert into pipelines.jobs (pipeline_id, project_id, plan_id, position, name, stage, stage_idx, status, "when", allow_failure, scheduling, needs,
       tags, protected, user_id, played_variables, timeout_seconds, bridge, resource_group, attempt, created_at, updated_at)
     select job.pipeline_id, job.project_id, plan_id, position, job.name, job.stage, job.stage_idx, 'created', job."when", planned.allow_failure,
       job.scheduling, job.needs, job.tags, job.protected, coalesce($2, job.user_id), job.played_variables, job.timeout_seconds, job.bridge, job.resource_group, job.attempt + 1, $3, $3
     from pipelines.jobs as job join pipelines.planned_jobs as planned using (plan_id, position) where job.id = any($1::bigint[]) order by job.id
     returning id`,
    [repeated, userId, now],
  )) as { id: number }[];
  return new Map(repeated.map((old, index) => [old, added[index]?.id ?? 0]));
}

/** Jobs that were skipped for others that run again wait for their turn once more (ci-config.md §6.3–6.4). */
export async function reviveDownstream(
  manager: EntityManager,
  say: Say,
  pipelineId: number,
  names: ReadonlySet<string>,
  now: Date,
): Promise<void> {
  const jobs = (await manager.query(
    `select id, name, status, stage_idx as "stageIdx", scheduling, array(select jsonb_array_elements(needs) ->> 'name') as needs
     from pipelines.jobs where pipeline_id = $1 and not retried`,
    [pipelineId],
  )) as (OrderedJob & { id: number })[];
  const skipped = jobs.filter((job) => job.status === 'skipped' && isDownstream(job, names, jobs)).map(({ id }) => id);
  if (skipped.length > 0) await moveJobs(manager, say, skipped, 'revive', now);
}
