import { type JobOutline, JobQueued, type RequestJob, type RunnerFacts, type RunnerReach } from '#libs/contracts';
import { retrying, type Say } from '#libs/persistence';
import type { DataSource, EntityManager } from 'typeorm';
import type { WaitingRunner } from './handed-out-job.js';
import { type PipelineJob, pipelineJob } from './pipeline-job.repository.js';

/** How many waiting jobs of each project are looked at for one request: more than there are requests at once, each of which may hold one. */
const lookedPerProject = 100;

/** Notes that a runner's machine was heard of, and what it told of itself. */
export async function noteContact(
  database: DataSource,
  runnerId: number,
  { systemId, info, ipAddress }: RequestJob,
  now: Date,
): Promise<void> {
  await database.query(
    `with contacted as (update pipelines.runners set contacted_at = $5 where id = $1 and (contacted_at is null or contacted_at < $5::timestamptz - interval '10 s'))
     insert into pipelines.runner_machines (runner_id, system_id, info, ip_address, contacted_at) values ($1, $2, $3, $4, $5)
     on conflict (runner_id, system_id) do update set info = excluded.info, ip_address = excluded.ip_address, contacted_at = excluded.contacted_at
       where runner_machines.contacted_at < excluded.contacted_at - interval '10 s' or runner_machines.info <> excluded.info`,
    [runnerId, systemId, JSON.stringify(info), ipAddress ?? null, now],
  );
}

/** Whom a request for a job came from, and the job that it got; null where there is none for it, or it may not have any. */
export interface HandOut {
  runner: WaitingRunner;
  job: PipelineJob | null;
}

/**
 * Gives the runner behind a token one of the jobs that it may take (runner-api.md §1.8, §2.6): the project with the fewest jobs in progress comes
 * first, in it the oldest job. The job leaves the queue but stays `pending` until the runner says that it has it. Of any number of requests at once
 * each job goes to one, since rows that another request holds are skipped. A runner that is paused, or of no project, gets none.
 *
 * One statement, so that it costs one round trip.
 *
 * @returns undefined when nobody has the token
 */
export async function takeJob(database: DataSource, request: RequestJob, now: Date): Promise<HandOut | undefined> {
  const { tokenHash, systemId, info, ipAddress, jobTokenHash } = request;
  const facts: Omit<RunnerFacts, 'id' | 'description' | 'paused' | 'runnerType'> = {
    ipAddress: ipAddress ?? null,
    name: info.name ?? null,
    online: true,
    status: 'online',
  };
  const values = [tokenHash, now, systemId, JSON.stringify(facts), info.cancelsGracefully, jobTokenHash];
  const [row] = await retrying(() => database.query<({ runner: WaitingRunner } & PipelineJob)[]>(takeOne, values));
  if (!row) return undefined;
  const { runner, ...job } = row;
  return { runner, job: job.id === null ? null : job };
}

/** As the index says it, or that would not be used. */
const inQueue = `status = 'pending' and runner_id is null and not bridge`;

/** Project by project, and of each only the first: one that has thousands of jobs in the queue hides nobody else's. */
const takeOne = `
  with recursive runner as materialized (
    select id, paused, run_untagged, tag_list, access_level, maximum_timeout, runner_type, description,
      array(select project_id from pipelines.runner_projects where runner_id = runners.id) as project_ids
    from pipelines.runners where token_hash = decode($1, 'hex')
  ), able as materialized (
    select * from runner where not paused and (runner_type = 'instance_type' or cardinality(project_ids) > 0)
  ), queued as (
    (select project_id from pipelines.jobs where ${inQueue} and exists (select from able) order by project_id limit 1)
    union all
    select (select project_id from pipelines.jobs where ${inQueue} and project_id > queued.project_id order by project_id limit 1)
    from queued where queued.project_id is not null
  ), waiting as materialized (
    select first.id, project.id as project_id
    from able cross join queued join pipelines.projects as project on project.id = queued.project_id
      cross join lateral (
        select id from pipelines.jobs
        where project_id = project.id and ${inQueue}
          and (case when cardinality(tags) = 0 then able.run_untagged else tags <@ able.tag_list end)
          and (able.access_level = 'not_protected' or protected)
        order by id limit ${lookedPerProject}
      ) as first
    where (able.runner_type = 'instance_type' or project.id = any(able.project_ids))
      and project.state = 'active' and not project.archived and project.builds_access_level <> 'disabled'
  ), busy as (
    select project_id, count(*) as jobs from pipelines.jobs
    where status in ('pending', 'running', 'canceling') and runner_id is not null group by project_id
  ), ranked as (
    select waiting.id, coalesce(busy.jobs, 0) + row_number() over (partition by waiting.project_id order by waiting.id) as turn
    from waiting left join busy using (project_id)
  ), chosen as (
    select job.id from pipelines.jobs as job join ranked using (id)
    where job.status = 'pending' and job.runner_id is null
    order by ranked.turn, job.id limit 1 for update of job skip locked
  ), taken as (
    update pipelines.jobs as job
    set runner_id = able.id, runner_system_id = $3,
        runner_facts = $4::jsonb || jsonb_build_object(
          'id', able.id, 'description', able.description, 'paused', able.paused, 'runnerType', able.runner_type),
        runner_cancels_gracefully = $5, token_hash = decode($6, 'hex'),
        assigned_at = $2, last_contact_at = $2, times_assigned = times_assigned + 1, version = version + 1
    from chosen, able where job.id = chosen.id
    returning job.*
  )
  select json_build_object('id', runner.id, 'paused', runner.paused, 'runUntagged', runner.run_untagged, 'tagList', runner.tag_list,
      'accessLevel', runner.access_level, 'maximumTimeout', runner.maximum_timeout, 'runnerType', runner.runner_type,
      'description', runner.description, 'projectIds', runner.project_ids) as runner, handed_out.*
  from runner left join (${pipelineJob('taken', '$2')}) as handed_out on true`;

/** What the runner may take, for whoever has to guess whether to ask again. */
export function reachOf({ tagList, runUntagged, accessLevel, runnerType, projectIds }: WaitingRunner): RunnerReach {
  return {
    tags: tagList,
    runUntagged,
    protectedOnly: accessLevel === 'ref_protected',
    projectIds: runnerType === 'instance_type' ? null : projectIds,
  };
}

/** Puts a job back that nobody was told of, and forgets that it was handed out. */
export async function returnJob(manager: EntityManager, say: Say, jobId: number, tokenHash: string): Promise<void> {
  const [rows] = (await manager.query(
    `update pipelines.jobs
     set runner_id = null, runner_system_id = null, runner_facts = null, assigned_at = null, token_hash = null,
         times_assigned = times_assigned - 1, version = version + 1
     where id = $1 and token_hash = decode($2, 'hex') and status = 'pending'
     returning project_id as "projectId", tags, protected`,
    [jobId, tokenHash],
  )) as [JobOutline[], number];
  for (const outline of rows) say(JobQueued, { jobId, ...outline });
}

const mostKinds = 1_000;

/** The kinds of jobs in the queue, those that wait longest first. */
export async function listWaiting(database: DataSource): Promise<(JobOutline & { count: number })[]> {
  return database.query(
    `select project_id as "projectId", tags, protected, count(*)::int as count from pipelines.jobs
     where status = 'pending' and runner_id is null and not bridge group by project_id, tags, protected order by min(id) limit ${mostKinds}`,
  );
}
