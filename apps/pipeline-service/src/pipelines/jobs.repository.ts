import type { ArtifactFacts, CommitFacts, JobFacts, LongUserFacts, RunnerFacts, Status } from '#libs/contracts';
import { machineJson, type MachineRow, managerFacts } from '../runners/runner-contact.js';
import { readPipelines, type Sql } from './pipelines.repository.js';

interface Row {
  id: number;
  pipelineId: number;
  name: string;
  stage: string;
  status: Status;
  ref: string;
  tag: boolean;
  allowFailure: boolean;
  coverage: number | null;
  createdAt: Date;
  queuedAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  erasedAt: Date | null;
  failureReason: string | null;
  user: LongUserFacts | null;
  commit: CommitFacts;
  tags: string[];
  traceSize: number | null;
  debugTrace: boolean;
  artifacts: (ArtifactFacts & { expireAt: string | null })[];
  runner: RunnerFacts | null;
  machine: MachineRow | null;
}

const columns = `job.id, job.pipeline_id as "pipelineId", job.name, job.stage, job.status, pipeline.ref, pipeline.tag, job.allow_failure as "allowFailure",
  job.coverage, job.created_at as "createdAt", job.queued_at as "queuedAt", job.started_at as "startedAt", job.finished_at as "finishedAt",
  job.erased_at as "erasedAt", job.failure_reason as "failureReason",
  json_build_object('id', owner.id, 'username', owner.username, 'name', owner.name, 'state', owner.state, 'createdAt', owner.created_at) as "user",
  pipeline.commit, job.tags, job.trace_size as "traceSize", job.debug_trace as "debugTrace", job.runner_facts as "runner",
  (select ${machineJson} from pipelines.runner_machines as machine
   where machine.runner_id = job.runner_id and machine.system_id = job.runner_system_id) as machine,
  (select coalesce(json_agg(json_build_object('type', type, 'format', format, 'filename', filename, 'size', size, 'expireAt', expire_at) order by id), '[]')
   from pipelines.artifacts where job_id = job.id and storage_key is not null) as artifacts`;

/** Jobs by id, in the order of the ids; those that are not there are left out. */
export async function readJobs(sql: Sql, ids: readonly number[], now: Date): Promise<JobFacts[]> {
  const rows: Row[] = await sql.query(
    `select ${columns} from pipelines.jobs as job
       join pipelines.pipelines as pipeline on pipeline.id = job.pipeline_id
       left join pipelines.users as owner on owner.id = job.user_id
     where job.id = any($1::bigint[]) order by array_position($1::bigint[], job.id)`,
    [ids],
  );
  const pipelines = new Map(
    (await readPipelines(sql, [...new Set(rows.map(({ pipelineId }) => pipelineId))])).map((pipeline) => [
      pipeline.id,
      pipeline,
    ]),
  );
  return rows.flatMap((row) => {
    const pipeline = pipelines.get(row.pipelineId);
    return pipeline ? [jobFacts(row, pipeline, now)] : [];
  });
}

function jobFacts(row: Row, pipeline: JobFacts['pipeline'], now: Date): JobFacts {
  return {
    id: row.id,
    name: row.name,
    stage: row.stage,
    status: row.status,
    ref: row.ref,
    tag: row.tag,
    allowFailure: row.allowFailure,
    coverage: row.coverage,
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    finishedAt: row.finishedAt?.toISOString() ?? null,
    erasedAt: row.erasedAt?.toISOString() ?? null,
    duration: row.startedAt ? seconds(row.startedAt, row.finishedAt ?? now) : null,
    queuedDuration: row.queuedAt ? seconds(row.queuedAt, row.startedAt ?? row.finishedAt ?? now) : null,
    failureReason: row.failureReason,
    user: row.user?.id == null ? null : { ...row.user, createdAt: new Date(row.user.createdAt).toISOString() },
    commit: row.commit,
    pipeline,
    tagList: [...row.tags].sort(),
    traceSize: row.traceSize,
    debugTrace: row.debugTrace,
    artifacts: row.artifacts.map(({ type, format, filename, size }) => ({ type, format, filename, size })),
    artifactsExpireAt: earliest(row.artifacts.map(({ expireAt }) => expireAt)),
    runner: row.runner,
    runnerManager: row.machine && managerFacts(row.machine, now),
  };
}

function earliest(times: (string | null)[]): string | null {
  const known = times.filter((time) => time !== null).map((time) => Date.parse(time));
  return known.length === 0 ? null : new Date(Math.min(...known)).toISOString();
}

function seconds(from: Date, to: Date): number {
  return Math.max(0, (to.getTime() - from.getTime()) / 1000);
}

/** Which jobs a list is of. */
export interface JobFilter {
  projectId: number;
  pipelineId?: number;
  scope?: Status[] | null;
  includeRetried: boolean;
  /** Only ids below this one. */
  before?: number | null;
}

const filter = `project_id = $1 and ($2::bigint is null or pipeline_id = $2) and ($3::text[] is null or status = any($3))
  and not bridge and ($4 or not retried) and ($5::bigint is null or id < $5)`;

function filterValues({ projectId, pipelineId, scope, includeRetried, before }: JobFilter): unknown[] {
  return [projectId, pipelineId ?? null, scope ?? null, includeRetried, before ?? null];
}

/** A part of a list of jobs, the newest first. */
export async function listJobs(
  sql: Sql,
  wanted: JobFilter,
  { offset, limit }: { offset: number; limit: number },
  now: Date,
): Promise<JobFacts[]> {
  const rows = (await sql.query(`select id from pipelines.jobs where ${filter} order by id desc limit $6 offset $7`, [
    ...filterValues(wanted),
    limit,
    offset,
  ])) as { id: number }[];
  const ids = rows.map(({ id }) => id);
  return readJobs(sql, ids, now);
}

/** The length of the whole list. */
export async function countJobs(sql: Sql, wanted: JobFilter): Promise<number> {
  const [row] = (await sql.query(
    `select count(*)::int as total from pipelines.jobs where ${filter}`,
    filterValues(wanted),
  )) as { total: number }[];
  return row?.total ?? 0;
}
