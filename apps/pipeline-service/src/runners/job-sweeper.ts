import type { Logger } from 'pino';
import { JobQueued } from '#libs/contracts';
import type { Outbox } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import { finishJob } from '../pipelines/finish-job.js';

/** Times after which something is done about a job, in seconds (runner-api.md §2.5, §6.6). */
export interface SweepTimes {
  /** Without a word after it was handed out: back to the queue. */
  acknowledge: number;
  /** Without a word while it runs: its runner is gone. */
  silent: number;
  /** Past its own time limit, which the runner should have kept. */
  overrun: number;
  /** Waiting, with no runner that could take it. */
  stuck: number;
}

export const usualTimes: SweepTimes = { acknowledge: 60, silent: 150, overrun: 900, stuck: 86_400 };

/** As often a job is handed out that nobody acknowledges. */
const mostAssignments = 3;
const sweepMs = 5_000;

/** Ends or gives back the jobs whose runners are not heard of any more. Any replica may do it, each job is swept by one. */
export class JobSweeper {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  readonly #startedAt: number;

  /** @param startedAt by the clock; runners could not report while nobody listened, so nobody counts as silent for a while after a start */
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly log: Logger,
    private readonly times: SweepTimes = usualTimes,
    startedAt = Date.now(),
  ) {
    this.#startedAt = startedAt;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.sweep(new Date()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'jobs of lost runners could not be swept'));
    }, sweepMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async sweep(now: Date): Promise<void> {
    await this.#giveBack(now);
    for (const { id, reason } of await this.#lost(now)) {
      this.log.warn({ job: id, reason }, 'a job is given up');
      await this.outbox.transaction((manager, say) =>
        finishJob(manager, say, id, { success: false, failureReason: reason }, now),
      );
    }
  }

  /** Under a new token, so that a runner that comes late is told that the job is not its own. */
  async #giveBack(now: Date): Promise<void> {
    await this.outbox.transaction(async (manager, say) => {
      const [rows] = (await manager.query(
        `update pipelines.jobs set runner_id = null, runner_system_id = null, runner_facts = null, assigned_at = null, token_hash = null, version = version + 1
         where id in (select id from pipelines.jobs where status = 'pending' and runner_id is not null
                        and last_contact_at < $1 and times_assigned < $2 order by id limit 100 for update skip locked)
         returning id, project_id as "projectId", tags, protected`,
        [before(now, this.times.acknowledge), mostAssignments],
      )) as [{ id: number; projectId: number; tags: string[]; protected: boolean }[], number];
      for (const { id, ...job } of rows) say(JobQueued, { jobId: id, ...job });
    });
  }

  async #lost(now: Date): Promise<{ id: number; reason: string }[]> {
    const quiet = now.getTime() - this.#startedAt > this.times.silent * 1000;
    return this.database.query(
      `select id, case
           when status = 'pending' and runner_id is null then 'stuck_or_timeout_failure'
           when status = 'pending' then 'runner_system_failure'
           when started_at + make_interval(secs => timeout_seconds) < $2 then 'job_execution_timeout'
           else 'runner_system_failure' end as reason
       from pipelines.jobs
       where (status = 'pending' and runner_id is not null and last_contact_at < $1 and times_assigned >= $5)
          or (status in ('running', 'canceling') and runner_id is not null
              and ((last_contact_at < $3 and $6) or started_at + make_interval(secs => timeout_seconds) < $2))
          or (status = 'pending' and runner_id is null and queued_at < $4)
       order by id limit 100`,
      [
        before(now, this.times.acknowledge),
        before(now, this.times.overrun),
        before(now, this.times.silent),
        before(now, this.times.stuck),
        mostAssignments,
        quiet,
      ],
    );
  }
}

function before(now: Date, seconds: number): Date {
  return new Date(now.getTime() - seconds * 1000);
}
