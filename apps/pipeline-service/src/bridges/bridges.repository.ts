import type { BridgeFacts, ListBridges, Page, PipelineFacts, Status } from '#libs/contracts';
import { readJobs } from '../pipelines/jobs.repository.js';
import { readPipelines, type Sql } from '../pipelines/pipelines.repository.js';

/** A pipeline among those that led to another. */
export interface Upstream {
  id: number;
  projectId: number;
  ref: string;
  source: string;
}

/** A pipeline and those that it came from, the nearest first. */
export async function readUpstreams(sql: Sql, pipelineId: number): Promise<Upstream[]> {
  return sql.query(
    `with recursive chain as (
       select pipeline.*, 0 as distance from pipelines.pipelines as pipeline where id = $1
       union all
       select above.*, chain.distance + 1 from chain join pipelines.pipelines as above on above.id = (chain.upstream ->> 'pipelineId')::bigint
       where chain.distance < ${longestChain}
     )
     select id, project_id as "projectId", ref, source from chain order by distance`,
    [pipelineId],
  ) as Promise<Upstream[]>;
}

/** No chain that trigger jobs made is as long; job tokens can make longer ones. */
const longestChain = 1_000;

/** How many pipelines trigger jobs started below a pipeline, itself included, counted up to a limit. */
export async function countDescendants(sql: Sql, pipelineId: number, limit: number): Promise<number> {
  const [row] = (await sql.query(
    `with recursive family as (
       select $1::bigint as id
       union
       select job.linked_pipeline_id from family join pipelines.jobs as job on job.pipeline_id = family.id
       where job.linked_pipeline_id is not null
     )
     select count(*)::int as count from (select from family limit $2) as counted`,
    [pipelineId, limit],
  )) as { count: number }[];
  return row?.count ?? 0;
}

/** The newest pipeline of a branch, children aside. */
export async function newestPipelineOf(sql: Sql, projectId: number, branch: string): Promise<number | null> {
  const [newest] = (await sql.query(
    `select id from pipelines.pipelines where project_id = $1 and ref = $2 and not tag and source <> 'parent_pipeline' order by id desc limit 1`,
    [projectId, branch],
  )) as { id: number }[];
  return newest?.id ?? null;
}

/** A job that stands for another pipeline, and that pipeline. */
export interface LinkedJob {
  id: number;
  name: string;
  pipelineId: number;
  status: Status;
  retried: boolean;
  /** Since when it may begin; null before that. */
  queuedAt: Date | null;
  strategy: 'depend' | 'mirror' | null;
  linkedPipelineId: number | null;
  /** Null when the pipeline is gone, or there is none. */
  linkedStatus: Status | null;
}

/** @returns undefined when there is no such job */
export async function readLinkedJob(sql: Sql, jobId: number): Promise<LinkedJob | undefined> {
  const [job] = (await sql.query(
    `select job.id, job.name, job.pipeline_id as "pipelineId", job.status, job.retried, job.queued_at as "queuedAt", job.linked_pipeline_id as "linkedPipelineId",
       linked.status as "linkedStatus",
       case when definition ? 'mirrors' then 'mirror' else definition -> 'trigger' ->> 'strategy' end as strategy
     from pipelines.jobs as job join pipelines.planned_jobs as planned using (plan_id, position)
       left join pipelines.pipelines as linked on linked.id = job.linked_pipeline_id
     where job.id = $1 and job.bridge`,
    [jobId],
  )) as LinkedJob[];
  return job;
}

/** One page of a pipeline's trigger jobs. */
export async function listBridges(sql: Sql, request: ListBridges, now: Date): Promise<Page<BridgeFacts>> {
  const { pipelineId, scope = null, page, perPage } = request;
  const rows = (await sql.query(
    `select id, count(*) over ()::int as total from pipelines.jobs
     where pipeline_id = $1 and bridge and not retried and ($2::text[] is null or status = any($2))
     order by id desc limit $3 offset $4`,
    [pipelineId, scope, perPage, (page - 1) * perPage],
  )) as { id: number; total: number }[];
  const ids = rows.map(({ id }) => id);
  const jobs = await readJobs(sql, ids, now);
  // Read after the jobs: one that is shown as running has its pipeline.
  const downstream = await readDownstream(sql, ids);
  return {
    items: jobs.map((job) => ({ ...job, downstreamPipeline: downstream.get(job.id) ?? null })),
    total: rows[0]?.total ?? 0,
  };
}

/** The pipelines that trigger jobs started, by the jobs' ids. */
async function readDownstream(sql: Sql, jobIds: number[]): Promise<Map<number, PipelineFacts>> {
  const links = (await sql.query(
    `select job.id, linked_pipeline_id as "pipelineId" from pipelines.jobs as job join pipelines.planned_jobs using (plan_id, position)
     where job.id = any($1::bigint[]) and linked_pipeline_id is not null and definition ? 'trigger'`,
    [jobIds],
  )) as { id: number; pipelineId: number }[];
  const pipelines = await readPipelines(
    sql,
    links.map(({ pipelineId }) => pipelineId),
  );
  const byId = new Map(pipelines.map((pipeline) => [pipeline.id, pipeline]));
  return new Map(
    links.flatMap(({ id, pipelineId }) => {
      const pipeline = byId.get(pipelineId);
      return pipeline ? [[id, pipeline]] : [];
    }),
  );
}
