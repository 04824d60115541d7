import type { Say } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import { cancelable } from './job.status.js';
import { moveJobs, processPipeline } from './statuses.repository.js';
import type { Sql } from './pipelines.repository.js';

/** A pipeline and its children, theirs included: they end with it. */
export async function withChildren(sql: Sql, pipelineId: number): Promise<number[]> {
  const rows = (await sql.query(
    `with recursive family as (
       select $1::bigint as id
       union
       select child.id from family
         join pipelines.jobs as job on job.pipeline_id = family.id
         join pipelines.pipelines as child on child.id = job.linked_pipeline_id and child.source = 'parent_pipeline'
     )
     select id from family`,
    [pipelineId],
  )) as { id: number }[];
  return rows.map(({ id }) => id);
}

/**
 * Stops what runs and cancels what waits; manual jobs stay manual (architecture.md §4). Call it with the pipelines locked.
 * @param which all jobs, or those that say that they may be interrupted
 */
export async function cancelPipelines(
  manager: EntityManager,
  say: Say,
  pipelineIds: number[],
  now: Date,
  which: 'all' | 'interruptible' = 'all',
): Promise<void> {
  const jobs = (await manager.query(
    `select id, jobs.status = 'running' and runner_cancels_gracefully as graceful
     from pipelines.jobs join pipelines.planned_jobs using (plan_id, position)
     where pipeline_id = any($1::bigint[]) and not retried and jobs.status = any($2) and ($3 or (definition ->> 'interruptible')::boolean)`,
    [pipelineIds, cancelable, which === 'all'],
  )) as { id: number; graceful: boolean }[];
  const ids = (graceful: boolean): number[] => jobs.filter((job) => job.graceful === graceful).map(({ id }) => id);
  await moveJobs(manager, say, ids(true), 'cancel-gracefully', now);
  await moveJobs(manager, say, ids(false), 'cancel', now);
  for (const pipelineId of pipelineIds) await processPipeline(manager, say, pipelineId, now);
}
