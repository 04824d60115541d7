import { BridgeDue, ResourceGroupDue } from '#libs/contracts';
import type { Logger } from 'pino';
import type { DatabaseClock, Outbox } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import { idleGroups } from '../resource-groups/resource-groups.repository.js';
import { purgeBatch, purgeOutcomes } from './outcome-life.js';
import { lockPipelines, moveJobs, processPipeline } from './statuses.repository.js';

const tickMs = 1_000;
const cleanEveryMs = 3_600_000;
const cleanAgainMs = 10_000;
const waitingEveryMs = 10_000;

/** What time brings about: delayed jobs start, outcomes that nobody will ask for again go. Any replica may do it, one at a time. */
export class PipelinesClock {
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #cleanAt = 0;
  #lookedAt = 0;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#ticking = this.#ticking
        .then(() => this.tick(this.clock.now()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'delayed jobs could not be started'));
    }, tickMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  /** Jobs that wait for a pipeline or a job that was deleted hear nothing of it. */
  async #wakeWaiting(now: Date): Promise<void> {
    if (now.getTime() - this.#lookedAt < waitingEveryMs) return;
    this.#lookedAt = now.getTime();
    const orphans = (await this.database.query(
      `select job.id from pipelines.jobs as job
       where bridge and status = 'running' and linked_pipeline_id is not null
         and not exists (select from pipelines.pipelines as linked where linked.id = linked_pipeline_id) limit 100`,
    )) as { id: number }[];
    const groups = await idleGroups(this.database);
    if (orphans.length === 0 && groups.length === 0) return;
    await this.outbox.transaction((_, say) => {
      for (const { id } of orphans) say(BridgeDue, { jobId: id });
      for (const group of groups) say(ResourceGroupDue, group);
      return Promise.resolve();
    });
  }

  async tick(now: Date): Promise<void> {
    await this.#startDelayed(now);
    await this.#wakeWaiting(now);
    if (now.getTime() >= this.#cleanAt) await this.#clean(now);
  }

  async #startDelayed(now: Date): Promise<void> {
    const due = (await this.database.query(
      `select id, pipeline_id as "pipelineId" from pipelines.jobs where status = 'scheduled' and scheduled_at <= $1 order by scheduled_at limit 100`,
      [now],
    )) as { id: number; pipelineId: number }[];
    for (const { id, pipelineId } of due) {
      await this.outbox.transaction(async (manager, say) => {
        await lockPipelines(manager, [pipelineId]);
        await moveJobs(manager, say, [id], 'play', now);
        await processPipeline(manager, say, pipelineId, now);
      });
    }
  }

  /** One batch in a tick, so that no job waits for what nobody waits for; the next tick goes on where there may be more. */
  async #clean(now: Date): Promise<void> {
    try {
      if ((await purgeOutcomes(this.database, now)) < purgeBatch) this.#cleanAt = now.getTime() + cleanEveryMs;
    } catch (error) {
      this.#cleanAt = now.getTime() + cleanAgainMs;
      this.log.warn({ err: error }, 'old outcomes of trigger requests could not be deleted yet');
    }
  }
}
