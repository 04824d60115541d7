import type { Logger } from 'pino';
import { JobQueued, type Status } from '#libs/contracts';
import type { DatabaseClock, Outbox } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import { finishJob } from '../pipelines/finish-job.js';
import { lockPipelines } from '../pipelines/statuses.repository.js';

/** Times after which something is done about a job, in seconds (runner-api.md §2.5, §6.6). */
export interface SweepTimes {
  /** Without a word after it was handed out: back to the queue. */
  acknowledge: number;
  /** Without a word while it runs, four times what a live runner takes at most: its runner is gone. */
  silent: number;
  /** Past its own time limit, which the runner should have kept. */
  overrun: number;
  /** Being canceled, and not done with it. */
  canceling: number;
  /** Waiting, with no runner online that could take it. */
  unservable: number;
  /** Waiting, whatever for. */
  waiting: number;
  /** A gateway that is there reports every few seconds; without any for as long, runners could not be heard. */
  gateways: number;
}

export const usualTimes: SweepTimes = {
  acknowledge: 60,
  silent: 132,
  overrun: 900,
  canceling: 1_800,
  unservable: 3_600,
  waiting: 86_400,
  gateways: 30,
};

/** As often a job is handed out that nobody acknowledges. */
const mostAssignments = 3;
const sweepMs = 5_000;
const atOnce = 100;
/** A runner that was heard of within this time is online (runner-api.md §1.8). */
const onlineSeconds = 7_200;

interface Candidate {
  id: number;
  pipelineId: number;
}

/** What to do about a job: null is nothing. */
type Verdict = { end: string } | { giveBack: true } | null;

interface Job {
  status: Status;
  assigned: boolean;
  timesAssigned: number;
  queuedAt: Date | null;
  startedAt: Date | null;
  lastContactAt: Date | null;
  updatedAt: Date;
  timeoutSeconds: number;
  projectId: number;
  tags: string[];
  protected: boolean;
  /** Whether a runner that is online could take it. */
  servable: boolean;
}

/** Ends or gives back the jobs whose runners are not heard of any more. Any replica may do it. Times are arguments. */
export class JobSweeper {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  /** Since when, without a break, this process could have heard of runners by way of a gateway. */
  #listeningSince: number | null = null;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly log: Logger,
    private readonly times: SweepTimes = usualTimes,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.sweep(this.clock.now()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'jobs of lost runners could not be swept'));
    }, sweepMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /** Looks once. Nobody counts as silent who could not have been heard: not before gateways reported for as long as silence may last. */
  async sweep(now: Date): Promise<void> {
    const quietCounts = await this.#quietCounts(now).catch((error: unknown) => {
      this.#listeningSince = null;
      throw error;
    });
    for (const candidate of await this.#candidates(now, quietCounts)) await this.#settle(candidate, now, quietCounts);
  }

  async #quietCounts(now: Date): Promise<boolean> {
    const [report] = (await this.database.query(`select from pipelines.gateway_reports where received_at > $1`, [
      before(now, this.times.gateways),
    ])) as unknown[];
    this.#listeningSince = report ? (this.#listeningSince ?? now.getTime()) : null;
    return this.#listeningSince !== null && now.getTime() - this.#listeningSince >= this.times.silent * 1000;
  }

  /** A cheap look; each is looked at again when it is locked. */
  async #candidates(now: Date, quietCounts: boolean): Promise<Candidate[]> {
    const withRunner: Candidate[] = await this.database.query(
      `select id, pipeline_id as "pipelineId" from pipelines.jobs
       where (status = 'pending' and runner_id is not null and last_contact_at < $1)
          or (status in ('running', 'canceling') and runner_id is not null
              and ((last_contact_at < $2 and $3) or started_at + make_interval(secs => timeout_seconds) < $4
                   or (status = 'canceling' and updated_at < $5)))
       order by id limit ${atOnce}`,
      [
        before(now, this.times.acknowledge),
        before(now, this.times.silent),
        quietCounts,
        before(now, this.times.overrun),
        before(now, this.times.canceling),
      ],
    );
    const waiting: Candidate[] = await this.database.query(
      `select job.id, job.pipeline_id as "pipelineId" from pipelines.jobs as job
       where job.status = 'pending' and job.runner_id is null and not job.bridge and (job.queued_at < $2 or (job.queued_at < $3 and not ${servable}))
       order by job.id limit ${atOnce}`,
      [before(now, onlineSeconds), before(now, this.times.waiting), before(now, this.times.unservable)],
    );
    return [...withRunner, ...waiting];
  }

  async #settle({ id, pipelineId }: Candidate, now: Date, quietCounts: boolean): Promise<void> {
    await this.outbox.transaction(async (manager, say) => {
      await lockPipelines(manager, [pipelineId]);
      const [job] = (await manager.query(jobStatement, [before(now, onlineSeconds), id])) as Job[];
      const verdict = job ? judge(job, now, quietCounts, this.times) : null;
      if (!job || !verdict) return;
      if ('end' in verdict) {
        this.log.warn({ job: id, reason: verdict.end }, 'a job is given up');
        await finishJob(manager, say, id, { success: false, failureReason: verdict.end }, now);
        return;
      }
      // Under a new token, so that a runner that comes late is told that the job is not its own.
      await manager.query(
        `update pipelines.jobs set runner_id = null, runner_system_id = null, runner_facts = null, assigned_at = null, token_hash = null, version = version + 1
         where id = $1`,
        [id],
      );
      say(JobQueued, { jobId: id, projectId: job.projectId, tags: job.tags, protected: job.protected });
    });
  }
}

/** Whether some runner that was heard of since `$1` may take the job. */
const servable = `
  exists (select from pipelines.runners as runner
          where not runner.paused and runner.contacted_at > $1
            and (case when cardinality(job.tags) = 0 then runner.run_untagged else job.tags <@ runner.tag_list end)
            and (runner.access_level = 'not_protected' or job.protected)
            and (runner.runner_type = 'instance_type'
                 or exists (select from pipelines.runner_projects where runner_id = runner.id and project_id = job.project_id)))`;

const jobStatement = `
  select job.status, job.runner_id is not null as assigned, job.times_assigned as "timesAssigned", job.queued_at as "queuedAt", job.started_at as "startedAt",
    job.last_contact_at as "lastContactAt", job.updated_at as "updatedAt", job.timeout_seconds as "timeoutSeconds", job.project_id as "projectId",
    job.tags, job.protected, ${servable} as servable
  from pipelines.jobs as job where job.id = $2 for no key update of job`;

/**
 * Decides about a job.
 * @param quietCounts whether its runner could have been heard
 */
export function judge(job: Job, now: Date, quietCounts: boolean, times: SweepTimes): Verdict {
  const over = (since: Date | null, seconds: number) => since !== null && since < before(now, seconds);
  if (job.status === 'pending' && job.assigned) {
    if (!over(job.lastContactAt, times.acknowledge)) return null;
    return job.timesAssigned < mostAssignments ? { giveBack: true } : { end: 'runner_system_failure' };
  }
  if (job.status === 'pending') {
    const stuck = over(job.queuedAt, times.waiting) || (!job.servable && over(job.queuedAt, times.unservable));
    return stuck ? { end: 'stuck_or_timeout_failure' } : null;
  }
  if (job.status !== 'running' && job.status !== 'canceling') return null;
  if (over(job.startedAt, job.timeoutSeconds + times.overrun)) return { end: 'job_execution_timeout' };
  if (quietCounts && over(job.lastContactAt, times.silent)) return { end: 'runner_system_failure' };
  return job.status === 'canceling' && over(job.updatedAt, times.canceling)
    ? { end: 'stuck_or_timeout_failure' }
    : null;
}

function before(now: Date, seconds: number): Date {
  return new Date(now.getTime() - seconds * 1000);
}
