import { compositeStatus, nextStatuses } from '#libs/ci-config';
import {
  BridgeDue,
  JobQueued,
  JobStatusChanged,
  PipelineStatusChanged,
  ResourceGroupDue,
  type Status,
} from '#libs/contracts';
import { plannedEachTime, type Say } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import { type JobHappening, transitions } from './job.status.js';
import { isPipelineFinished, nextPipelineStatus } from './pipeline.status.js';
import { busySeconds } from './pipeline-duration.js';

/** What became of a happening: it moved the job, had happened before, or cannot happen now. */
export type Moved = 'moved' | 'already there' | 'impossible';

/** What is written together with a move. */
export interface JobEnd {
  failureReason?: string | null;
  exitCode?: number | null;
  coverage?: number | null;
  /** The exit code is one of `allow_failure:exit_codes`, or the like. */
  allowFailure?: boolean;
}

interface JobRow {
  id: number;
  name: string;
  status: Status;
  when: 'on_success' | 'on_failure' | 'always' | 'manual' | 'delayed';
  allowFailure: boolean;
  scheduling: 'stage' | 'dag';
  stageIdx: number;
  needs: { name: string }[];
  startIn: number | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  coverage: number | null;
  resourceGroup: string | null;
}

/** What a pipeline shows of its jobs. */
export interface ShownPipeline {
  id: number;
  projectId: number;
  status: Status;
  warnings: boolean;
  startedAt: Date | null;
}

/** SQL for a `ShownPipeline` of a row that goes by the name `pipeline`. */
export const shownPipeline = `pipeline.id, pipeline.project_id as "projectId", pipeline.status, pipeline.warnings, pipeline.started_at as "startedAt"`;

/**
 * The only file that changes a status (architecture.md §5.2). Every update names the statuses it may leave, so that two that come at once
 * cannot both win. Times are arguments.
 */

/**
 * Lets something happen to a job. Its pipeline must be processed afterwards, in the same transaction.
 *
 * @param happened what, and when
 * @returns whether it moved; `already there` when the job is where the happening would have led it
 */
export async function moveJob(
  manager: EntityManager,
  say: Say,
  jobId: number,
  happening: JobHappening,
  now: Date,
  end: JobEnd = {},
): Promise<Moved> {
  const [moved] = await moveJobs(manager, say, [jobId], happening, now, end);
  if (moved !== undefined) return 'moved';
  const status = await statusOf(manager, jobId);
  return transitions(happening).some(({ to }) => to === status) ? 'already there' : 'impossible';
}

/** A job's status; null when there is no such job. */
export async function statusOf(manager: EntityManager, jobId: number): Promise<Status | null> {
  const [job] = (await manager.query('select status from pipelines.jobs where id = $1', [jobId])) as {
    status: Status;
  }[];
  return job?.status ?? null;
}

/** Lets something happen to several jobs. @returns the ids of those that moved */
export async function moveJobs(
  manager: EntityManager,
  say: Say,
  jobIds: number[],
  happening: JobHappening,
  now: Date,
  end: JobEnd = {},
): Promise<number[]> {
  const possible = moves(happening);
  const [rows] = (await manager.query(
    // Planned while there were few jobs, it would read all of them for each move (ADR 5).
    `${plannedEachTime} update pipelines.jobs as job
     set status = move.target,
         version = version + 1,
         updated_at = $4,
         queued_at = case move.target when 'pending' then $4 when 'created' then null else queued_at end,
         started_at = case move.target when 'running' then $4 else started_at end,
         finished_at = case when move.target in ('success', 'failed', 'canceled') then $4 else finished_at end,
         scheduled_at = case move.target when 'scheduled' then $4 + make_interval(secs => (
           select (definition ->> 'startIn')::int from pipelines.planned_jobs as planned where planned.plan_id = job.plan_id and planned.position = job.position)) else null end,
         failure_reason = case move.target when 'failed' then $5 else null end,
         exit_code = coalesce($6, exit_code),
         coverage = coalesce($7, coverage),
         allow_failure = coalesce($8, allow_failure),
         token_hash = case move.target when 'pending' then null else token_hash end
     from unnest($2::text[], $3::text[], $9::boolean[]) as move (source, target, grouped)
     where job.id = any($1::bigint[]) and job.status = move.source and coalesce(move.grouped = (job.resource_group is not null), true)
     returning job.id, job.pipeline_id as "pipelineId", job.project_id as "projectId", job.name, job.status, job.version, job.tags, job.protected, job.bridge, job.resource_group as "resourceGroup"`,
    [
      jobIds,
      possible.map(({ from }) => from),
      possible.map(({ to }) => to),
      now,
      end.failureReason ?? 'unknown_failure',
      end.exitCode ?? null,
      end.coverage ?? null,
      end.allowFailure ?? null,
      possible.map(({ grouped }) => grouped),
    ],
  )) as [
    {
      id: number;
      pipelineId: number;
      projectId: number;
      name: string;
      status: Status;
      version: number;
      tags: string[];
      protected: boolean;
      bridge: boolean;
      resourceGroup: string | null;
    }[],
    number,
  ];
  for (const row of rows) {
    const {
      id,
      pipelineId,
      projectId,
      name,
      status,
      version,
      tags,
      protected: isProtected,
      bridge,
      resourceGroup,
    } = row;
    if (resourceGroup !== null && !holdsGroup(status)) say(ResourceGroupDue, { projectId, key: resourceGroup });
    say(JobStatusChanged, { jobId: id, pipelineId, projectId, name, status, version });
    if (status === 'pending')
      if (bridge) say(BridgeDue, { jobId: id });
      else say(JobQueued, { jobId: id, projectId, tags, protected: isProtected });
  }
  return rows.map(({ id }) => id);
}

/** Where a happening leads: a job of a resource group waits for its turn in place of being queued. `grouped`: only such, or only others. */
function moves(happening: JobHappening): { from: Status; to: Status; grouped: boolean | null }[] {
  const usual = transitions(happening);
  if (happening !== 'enqueue' && happening !== 'play') return usual.map((move) => ({ ...move, grouped: null }));
  const from = new Set(usual.map((move) => move.from));
  const waiting = transitions('wait').filter((move) => from.has(move.from));
  return [
    ...usual.map((move) => ({ ...move, grouped: false })),
    ...waiting.map((move) => ({ ...move, grouped: true })),
  ];
}

function holdsGroup(status: Status): boolean {
  return status === 'pending' || status === 'running' || status === 'canceling';
}

/**
 * Takes a pipeline's row for this transaction: whoever changes jobs of a pipeline holds it, so that two jobs that finish together are
 * processed one after the other (ci-config.md §6.3). Several are taken in the order of their ids, lest two transactions wait for each other.
 */
export async function lockPipelines(manager: EntityManager, pipelineIds: number[]): Promise<void> {
  await manager.query('select from pipelines.pipelines where id = any($1::bigint[]) order by id for no key update', [
    pipelineIds,
  ]);
}

/**
 * Moves the jobs whose turn has come and gives the pipeline the status that follows (ci-config.md §6). Call it with the pipeline locked,
 * after every change to its jobs.
 */
export async function processPipeline(manager: EntityManager, say: Say, pipelineId: number, now: Date): Promise<void> {
  const jobs = await latestJobs(manager, pipelineId);
  const next = nextStatuses(jobs.map((job) => ({ ...job, needs: job.needs.map(({ name }) => name) })));
  const happenings: [JobHappening, Status][] = [
    ['enqueue', 'pending'],
    ['block', 'manual'],
    ['delay', 'scheduled'],
    ['skip', 'skipped'],
  ];
  for (const [happening, target] of happenings) {
    const ids = jobs.filter(({ name }) => next.get(name) === target).map(({ id }) => id);
    if (ids.length > 0) await moveJobs(manager, say, ids, happening, now);
  }
  for (const job of jobs) {
    const status = next.get(job.name) ?? job.status;
    const waits = status === 'pending' && job.status === 'created' && job.resourceGroup !== null;
    job.status = waits ? 'waiting_for_resource' : status;
  }
  await movePipeline(manager, say, pipelineId, jobs, now);
}

async function latestJobs(manager: EntityManager, pipelineId: number): Promise<JobRow[]> {
  return manager.query(
    `select id, name, status, "when", allow_failure as "allowFailure", scheduling, stage_idx as "stageIdx", needs,
            started_at as "startedAt", finished_at as "finishedAt", coverage, resource_group as "resourceGroup"
     from pipelines.jobs where pipeline_id = $1 and not retried order by position, id`,
    [pipelineId],
  );
}

async function movePipeline(
  manager: EntityManager,
  say: Say,
  pipelineId: number,
  jobs: JobRow[],
  now: Date,
): Promise<void> {
  const [shown] = (await manager.query(`select ${shownPipeline} from pipelines.pipelines as pipeline where id = $1`, [
    pipelineId,
  ])) as ShownPipeline[];
  if (!shown) return;
  const started = shown.startedAt !== null || jobs.some(({ startedAt }) => startedAt !== null);
  const status = nextPipelineStatus(shown.status, compositeStatus(jobs), started);
  const finished = isPipelineFinished(status);
  await showPipeline(
    manager,
    say,
    shown,
    {
      status,
      warnings: jobs.some((job) => job.allowFailure && (job.status === 'failed' || job.status === 'canceled')),
      startedAt: shown.startedAt ?? (started ? (firstStart(jobs) ?? now) : null),
      duration: finished && started ? busySeconds(jobs) : null,
      coverage: finished ? averageCoverage(jobs) : null,
    },
    now,
  );
}

/**
 * The same where a runner has just begun with a job: nobody else's turn comes by that, and whatever the other jobs do, the pipeline is running
 * (ci-config.md §6.2), so that they need not be read, for which somebody waits.
 *
 * @param shown as it was read when its row was locked
 */
export async function startPipeline(manager: EntityManager, say: Say, shown: ShownPipeline, now: Date): Promise<void> {
  const next = { status: 'running', startedAt: shown.startedAt ?? now, warnings: shown.warnings } as const;
  await showPipeline(manager, say, shown, { ...next, duration: null, coverage: null }, now);
}

/** Writes what differs from what the pipeline shows, and says so. */
async function showPipeline(
  manager: EntityManager,
  say: Say,
  shown: ShownPipeline,
  next: Omit<ShownPipeline, 'id' | 'projectId'> & { duration: number | null; coverage: number | null },
  now: Date,
): Promise<void> {
  const { id: pipelineId, projectId } = shown;
  const { status, warnings, startedAt, duration, coverage } = next;
  if (status === shown.status && warnings === shown.warnings && (startedAt === null) === (shown.startedAt === null))
    return;
  const finished = isPipelineFinished(status);
  const [[moved]] = (await manager.query(
    `update pipelines.pipelines
     set status = $2, warnings = $3, version = version + 1, updated_at = $4,
         started_at = coalesce(started_at, $5), finished_at = case when $6 then $4::timestamptz end, duration = $7::int, coverage = $8::double precision
     where id = $1 and status = $9
     returning version,
       array(select job.id from pipelines.jobs as job where job.linked_pipeline_id = pipelines.id and not job.retried) as bridges`,
    [pipelineId, status, warnings, now, startedAt, finished, duration, coverage, shown.status],
  )) as [{ version: number; bridges: string[] }[], number];
  if (!moved || status === shown.status) return;
  say(PipelineStatusChanged, { pipelineId, projectId, status, version: moved.version });
  if (finished || isPipelineFinished(shown.status))
    for (const id of moved.bridges) say(BridgeDue, { jobId: Number(id) });
}

function firstStart(jobs: JobRow[]): Date | null {
  const starts = jobs.flatMap(({ startedAt }) => startedAt ?? []);
  return starts.length === 0 ? null : new Date(Math.min(...starts.map(Number)));
}

/** GitLab shows the mean of the jobs that reported one. */
function averageCoverage(jobs: JobRow[]): number | null {
  const reported = jobs.flatMap(({ coverage }) => coverage ?? []);
  return reported.length === 0 ? null : reported.reduce((sum, coverage) => sum + coverage, 0) / reported.length;
}
