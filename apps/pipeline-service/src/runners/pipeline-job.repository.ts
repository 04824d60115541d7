import type { Sql } from '../pipelines/pipelines.repository.js';
import type { HandedOutJob } from './handed-out-job.js';

/** A job with what its pipeline says. */
export interface PipelineJob extends Omit<HandedOutJob, 'dependencies'> {
  projectId: number;
  /** Since when it may begin; null before that. */
  queuedAt: Date | null;
}

/** @returns undefined when there is no such job */
export async function readPipelineJob(sql: Sql, jobId: number, now: Date): Promise<PipelineJob | undefined> {
  const [row] = (await sql.query(`${pipelineJob('pipelines.jobs', '$2')} where job.id = $1`, [
    jobId,
    now,
  ])) as PipelineJob[];
  return row;
}

/**
 * SQL for `PipelineJob`s, to which a condition on `job` may be added.
 * @param jobs where their rows come from
 * @param now the placeholder of the time
 */
export function pipelineJob(jobs: string, now: string): string {
  return `
    select job.id, job.name, job.stage, planned.definition, job.timeout_seconds as "timeoutSeconds", job.played_variables as "playedVariables",
       job.project_id as "projectId", job.queued_at as "queuedAt",
       greatest(0, coalesce(extract(epoch from ${now}::timestamptz - job.queued_at), 0))::float as waited,
       json_build_object('id', pipeline.id, 'iid', pipeline.iid, 'source', pipeline.source, 'ref', pipeline.ref, 'tag', pipeline.tag,
         'tagMessage', pipeline.tag_message, 'protected', pipeline.protected, 'sha', pipeline.sha, 'commit', pipeline.commit,
         'createdAt', to_char(pipeline.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'name', pipeline.name,
         'triggerShortToken', pipeline.trigger_short_token, 'variables', pipeline.variables) as pipeline,
       case when owner.id is not null then json_build_object('id', owner.id, 'username', owner.username, 'name', owner.name, 'email', owner.email) end as "user"
    from ${jobs} as job
      join pipelines.planned_jobs as planned using (plan_id, position)
      join pipelines.pipelines as pipeline on pipeline.id = job.pipeline_id
      left join pipelines.users as owner on owner.id = job.user_id`;
}
