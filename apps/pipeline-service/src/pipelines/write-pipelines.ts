import type { JobQueued, TriggerOutcome } from '#libs/contracts';
import type { OutboxRow } from '#libs/persistence';
import type { CreationRefusal } from './creation-checks.js';
import type { Decision } from './decision.js';
import type { PipelineOrder } from './pipeline-order.js';
import type { Sql } from './pipelines.repository.js';

/** What became of a request that nobody had decided before. */
export interface Claimed {
  requestId: string;
  /** The pipeline's, null where there is none. */
  id: number | null;
  iid: number | null;
  /** The project was deleted before its pipeline could be created. */
  gone: boolean;
}

/** SQL that writes the rows of a query as events (`Outbox.insertion`). */
export interface Insertions {
  created(rows: string): string;
  /** Jobs that stand for other pipelines and are due. */
  bridges(rows: string): string;
  /** Resource groups that jobs wait for. */
  groups(rows: string): string;
  /** Pipelines that may make older ones redundant. */
  superseding(rows: string): string;
}

export interface Written {
  claimed: Claimed[];
  /** Requests whose plan is not stored; nothing was written for them. */
  unplanned: string[];
  /** Jobs that wait for a runner from the start. */
  queued: JobQueued[];
  /** The events that were written with them. */
  said: OutboxRow[];
}

/**
 * One statement for everything, and with it one round trip and one commit for a batch: takes numbers, claims the requests, and writes what belongs to
 * those that nobody had decided before.
 *
 * The counters of the projects come first and in order, requests in order, so that two batches never wait for each other in a circle.
 * `no key update`: the foreign keys of rows that others insert must not wait. Plans are kept from being removed until the end (`removeUnusedPlan`).
 * Numbers taken for a request that was decided before are not used. What is known of a user is not overwritten: events may have told something newer.
 *
 * @param decisions of different requests, in the order of the pipelines' numbers
 * @param users whose names may not be stored yet, in order
 */
export async function writePipelines(
  sql: Sql,
  decisions: Decision[],
  users: PipelineOrder['actor'][],
  insertions: Insertions,
  now: Date,
): Promise<Written> {
  const created = `select json_build_object('pipelineId', id, 'projectId', project_id, 'triggerId', trigger_id, 'createdAt', $4::text, 'status', status) as data
    from new_pipelines`;
  const bridges = `select json_build_object('jobId', id) as data from new_jobs where status = 'pending' and bridge`;
  const groups = `select distinct jsonb_build_object('projectId', project_id, 'key', resource_group) as data
    from new_jobs where status = 'waiting_for_resource'`;
  const superseding = `select json_build_object('pipelineId', new_pipelines.id) as data from new_pipelines join decided using (request_id) where supersedes`;
  const [row] = (await sql.query(
    `with decided as materialized (
       select row_number() over () as position, decided.* from json_to_recordset($1) as decided (request_id uuid, project_id bigint, creates boolean,
         iid bigint, plan_hash text, refusal json, source text, ref text, tag boolean, protected boolean, sha text, commit json, tag_message text,
         status text, name text, yaml_errors text, failure_reason text, user_id bigint, trigger_id bigint, trigger_short_token text, channel text,
         upstream json, variables json, finished boolean, supersedes boolean)
     ), locked as materialized (
       select id from pipelines.projects where id in (select project_id from decided where creates) and state = 'active' order by id for no key update
     ), known as materialized (
       select plan.id, plan.project_id, plan.hash from pipelines.plans as plan
       join (select distinct project_id, decode(plan_hash, 'hex') as hash from decided where plan_hash is not null) as wanted using (project_id, hash)
       order by plan.id for key share of plan
     ), ready as materialized (
       select decided.*, known.id as plan_id, creates and locked.id is null as gone, creates and locked.id is not null as creating
       from decided left join locked on locked.id = decided.project_id
       left join known on known.project_id = decided.project_id and known.hash = decode(plan_hash, 'hex')
       where plan_hash is null or known.id is not null or locked.id is null
     ), bumped as (
       update pipelines.projects as project set next_iid = next_iid + wanted.count
       from (select project_id, count(*) from ready where creating and iid is null group by project_id) as wanted
       where project.id = wanted.project_id
       returning project.id, project.next_iid - wanted.count as first
     ), numbered as materialized (
       select ready.*, coalesce(iid, bumped.first - 1 + row_number() over (partition by project_id, creating and iid is null order by position)) as next_iid
       from ready left join bumped on bumped.id = ready.project_id
     ), identified as materialized (
       select ordered.*, case when creating then nextval('pipelines.pipelines_id_seq') end as id
       from (select * from numbered order by position) as ordered
     ), claimed as (
       insert into pipelines.trigger_outcomes (request_id, pipeline_id, refusal, created_at)
       select request_id, id, case when gone then $5 else refusal end, $2 from identified order by request_id
       on conflict do nothing returning request_id
     ), new_pipelines as (
       insert into pipelines.pipelines (id, project_id, iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, plan_id, created_at, updated_at, finished_at)
       select id, project_id, next_iid, request_id, source, ref, tag, protected, sha, commit, tag_message, status, name,
         yaml_errors, failure_reason, user_id, trigger_id, trigger_short_token, channel, upstream, variables, plan_id, $2, $2, case when finished then $2 end
       from identified join claimed using (request_id) where id is not null
       returning id, request_id, project_id, protected, user_id, plan_id, trigger_id, status
     ), new_jobs as (
       insert into pipelines.jobs (pipeline_id, project_id, plan_id, position, name, stage, stage_idx, status, "when", allow_failure, scheduling,
         needs, tags, protected, user_id, timeout_seconds, bridge, resource_group, created_at, updated_at, queued_at, scheduled_at)
       select pipeline.id, pipeline.project_id, plan_id, job.position, job.name, job.stage, job.stage_idx, job.status, job."when", job.allow_failure,
         job.scheduling, job.needs, job.tags, pipeline.protected, pipeline.user_id, job.timeout_seconds, job.bridge, job.resource_group, $2, $2,
         case job.status when 'pending' then $2 end,
         case job.status when 'scheduled' then $2 + make_interval(secs => (job.definition ->> 'startIn')::int) end
       from new_pipelines as pipeline join pipelines.planned_jobs as job using (plan_id) order by pipeline.id, job.position
       returning id, project_id, status, tags, protected, bridge, resource_group
     ), new_users as (
       insert into pipelines.users (id, username, name, email, state, created_at, updated_at)
       select id, username, name, email, state, "createdAt", $2
       from json_to_recordset($3) as row (id bigint, username text, name text, email text, state text, "createdAt" timestamptz)
       on conflict (id) do nothing
     ), said_created as (
       ${insertions.created(created)}
     ), said_bridges as (
       ${insertions.bridges(bridges)}
     ), said_groups as (
       ${insertions.groups(groups)}
     ), said_superseding as (
       ${insertions.superseding(superseding)}
     )
     select (select coalesce(json_agg(json_build_object('requestId', request_id, 'id', id, 'iid', case when creating then next_iid end, 'gone', gone)), '[]')
             from identified join claimed using (request_id)) as claimed,
       array(select request_id::text from decided where position not in (select position from ready)) as unplanned,
       (select coalesce(json_agg(json_build_object('jobId', id, 'projectId', project_id, 'tags', tags, 'protected', protected)), '[]')
        from new_jobs where status = 'pending' and not bridge) as queued,
       (select coalesce(json_agg(said), '[]')
        from (select * from said_created union all select * from said_bridges union all select * from said_groups
          union all select * from said_superseding) as said) as said`,
    [
      JSON.stringify(decisions.map(decidedRow)),
      now,
      JSON.stringify(users),
      now.toISOString(),
      JSON.stringify(projectGone),
    ],
  )) as [Written];
  return row;
}

/** Status and body, as the request is answered. */
export type StoredRefusal = Pick<NonNullable<TriggerOutcome['refusal']>, 'status' | 'body'>;

export const projectGone: StoredRefusal = { status: 400, body: { message: { base: ['Project is deleted!'] } } };

/** @returns a refusal as it is stored and told */
export function storedRefusal({ source }: PipelineOrder, { status, message }: CreationRefusal): StoredRefusal {
  // `POST /projects/:id/pipeline` answers 400 to whatever is wrong (trigger-api.md §4.1).
  return {
    status: source === 'api' && status === 422 ? 400 : status,
    body: status === 404 ? { message } : { message: { base: [message] } },
  };
}

/** The columns of `decided`. */
function decidedRow({ order, pipeline, refusal }: Decision): object {
  const answer = {
    request_id: order.requestId,
    project_id: order.projectId,
    creates: pipeline !== null,
    refusal: refusal && storedRefusal(order, refusal),
  };
  if (!pipeline) return answer;
  const { resolved, plan } = pipeline;
  const failed = refusal?.failed;
  return {
    ...answer,
    iid: pipeline.iid,
    plan_hash: plan?.hash ?? null,
    source: order.source,
    ref: resolved.ref,
    tag: resolved.type === 'tag',
    protected: pipeline.protected,
    sha: resolved.sha,
    commit: resolved.commit,
    tag_message: resolved.tagMessage ?? null,
    status: failed?.status ?? pipeline.status,
    name: pipeline.name,
    yaml_errors: failed?.yamlErrors ?? null,
    failure_reason: failed?.failureReason ?? null,
    user_id: order.actor.id,
    trigger_id: order.trigger?.id ?? null,
    trigger_short_token: order.trigger?.shortToken ?? null,
    channel: order.channel,
    upstream: order.upstream,
    variables: order.variables,
    finished: failed !== undefined,
    supersedes: pipeline.supersedes,
  };
}
