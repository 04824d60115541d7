import type {
  LinkedPipeline,
  ListedJob,
  ListShownJobs,
  PipelineSource,
  ShownJob,
  Status,
  TriggerChannel,
  UncountedPage,
  UserFacts,
} from '#libs/contracts';
import { cancelable, retryable } from '../pipelines/job.status.js';
import { triggerOf, type Sql } from '../pipelines/pipelines.repository.js';
import { protectionRules } from '../projects/project-reader.js';
import type { ProtectionRules } from '../protected-refs/protected-ref.js';
import { mayOrder } from './stages.js';

/** A job as `jobJson` gives it; times are as PostgreSQL writes them in JSON. */
export interface JobRow extends Pick<
  ShownJob,
  | 'id'
  | 'name'
  | 'stage'
  | 'allowFailure'
  | 'when'
  | 'needs'
  | 'scheduling'
  | 'retried'
  | 'bridge'
  | 'tags'
  | 'resourceGroup'
  | 'failureReason'
  | 'runner'
> {
  status: Status;
  createdAt: string;
  queuedAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  scheduledAt: string | null;
  /** As it is planned. */
  environment: { name: string; url?: string; action?: string } | null;
  /** Address of the environment as it was when the job was handed out. */
  environmentUrl: string | null;
  downstream: LinkedPipeline | null;
}

/** SQL for a `LinkedPipeline` of the rows `linked` and `elsewhere`, a pipeline and its project. */
export const linkedJson = `json_build_object('id', linked.id, 'projectId', linked.project_id, 'projectPath', elsewhere.full_path, 'status', linked.status)`;

/** SQL for the `JobRow` of a row `job`. What its plan says of it is in `planned`. */
const jobJson = `json_build_object('id', job.id, 'name', job.name, 'stage', job.stage, 'status', job.status, 'allowFailure', job.allow_failure,
  'when', job."when", 'needs', array(select jsonb_array_elements(job.needs) ->> 'name'), 'scheduling', job.scheduling, 'createdAt', job.created_at,
  'queuedAt', job.queued_at, 'startedAt', job.started_at, 'finishedAt', job.finished_at, 'scheduledAt', job.scheduled_at, 'retried', job.retried,
  'bridge', job.bridge, 'tags', job.tags, 'failureReason', job.failure_reason,
  'environment', planned.definition -> 'environment', 'environmentUrl', job.environment_url, 'resourceGroup', planned.definition -> 'resourceGroup',
  'runner', case when job.runner_facts is not null then json_build_object('id', job.runner_facts -> 'id', 'description', job.runner_facts -> 'description') end,
  'downstream', (select ${linkedJson} from pipelines.pipelines as linked join pipelines.projects as elsewhere on elsewhere.id = linked.project_id
                 where linked.id = job.linked_pipeline_id))`;

/** SQL for the list of all jobs of the row `pipeline`, in the order of the file, attempts in the order of time. */
export const jobsJson = `(select coalesce(json_agg(${jobJson} order by job.position, job.id), '[]')
  from pipelines.jobs as job join pipelines.planned_jobs as planned using (plan_id, position) where job.pipeline_id = pipeline.id)`;

interface ListedRow {
  job: JobRow;
  id: number;
  projectPath: string;
  ref: string;
  tag: boolean;
  sha: string;
  source: PipelineSource;
  triggerId: number | null;
  triggerShortToken: string | null;
  channel: TriggerChannel | null;
  user: UserFacts | null;
  protection: ProtectionRules;
}

/** One page of the list, in one statement. */
export async function listShownJobs(
  sql: Sql,
  { projectId, scope = null, triggered = null, actor = null, page, perPage }: ListShownJobs,
  now: Date,
): Promise<UncountedPage<ListedJob>> {
  const rows = (await sql.query(
    `select ${jobJson} as job, pipeline.id, project.full_path as "projectPath", pipeline.ref, pipeline.tag, pipeline.sha, pipeline.source,
       pipeline.trigger_id as "triggerId", pipeline.trigger_short_token as "triggerShortToken", pipeline.channel,
       case when owner.id is not null then json_build_object('id', owner.id, 'username', owner.username, 'name', owner.name, 'state', owner.state) end as "user",
       project.protection
     from (
       select listed.* from pipelines.jobs as listed
       where project_id = $1 and not bridge and ($2::text[] is null or status = any($2))
         and ($3::boolean is null or $3 = (select trigger_id is not null from pipelines.pipelines where id = listed.pipeline_id))
       order by id desc limit $4 offset $5
     ) as job
       join pipelines.planned_jobs as planned using (plan_id, position)
       join pipelines.pipelines as pipeline on pipeline.id = job.pipeline_id
       join (select id, full_path, ${protectionRules} as protection from pipelines.projects as project where id = $1) as project on true
       left join pipelines.users as owner on owner.id = job.user_id
     order by job.id desc`,
    // One more than wanted tells whether something follows.
    [projectId, scope, triggered, perPage + 1, (page - 1) * perPage],
  )) as ListedRow[];
  const items = rows.slice(0, perPage).map(({ job, user, protection, ...row }) => {
    const { id, projectPath, ref, tag, sha, source } = row;
    return {
      ...shownJob(job, mayOrder(actor, row, protection), now),
      pipeline: { id, projectPath, ref, tag, sha, source, trigger: triggerOf(row) },
      user,
    };
  });
  return { items, more: rows.length > perPage };
}

/** @param mayRun whether the one who looks may give orders about the job */
export function shownJob(row: JobRow, mayRun: boolean, now: Date): ShownJob {
  const { queuedAt, environment, environmentUrl, ...job } = row;
  const [created, queued, started, finished, scheduled] = [
    row.createdAt,
    queuedAt,
    row.startedAt,
    row.finishedAt,
    row.scheduledAt,
  ].map((time) => (time === null ? null : new Date(time)));
  return {
    ...job,
    createdAt: (created ?? now).toISOString(),
    startedAt: started?.toISOString() ?? null,
    finishedAt: finished?.toISOString() ?? null,
    scheduledAt: scheduled?.toISOString() ?? null,
    duration: started ? seconds(started, finished ?? now) : null,
    queuedDuration: queued ? seconds(queued, started ?? finished ?? now) : null,
    playable: mayRun && (row.status === 'manual' || row.status === 'scheduled'),
    retryable: mayRun && !row.retried && retryable.includes(row.status),
    cancelable: mayRun && cancelable.includes(row.status),
    tags: [...row.tags].sort(),
    environment: environment && {
      name: environment.name,
      url: linkTo(environmentUrl ?? environment.url),
      action: environment.action ?? null,
    },
  };
}

/** What a page may link to: neither a script nor an address whose variables are still to be put in. */
function linkTo(url: string | undefined): string | null {
  return url !== undefined && /^https?:\/\/[^$]+$/i.test(url) ? url : null;
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, (to.getTime() - from.getTime()) / 1000);
}
