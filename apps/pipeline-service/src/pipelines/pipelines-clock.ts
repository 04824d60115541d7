import type { Logger } from 'pino';
import type { Outbox } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import { purgeBatch, purgeOutcomes } from './outcome-life.js';
import { lockPipelines, moveJobs, processPipeline } from './statuses.repository.js';

const tickMs = 1_000;
const cleanEveryMs = 3_600_000;
const cleanAgainMs = 10_000;

/** What time brings about: delayed jobs start, outcomes that nobody will ask for again go. Any replica may do it, one at a time. */
export class PipelinesClock {
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #cleanAt = 0;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#ticking = this.#ticking
        .then(() => this.tick(new Date()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'delayed jobs could not be started'));
    }, tickMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  async tick(now: Date): Promise<void> {
    await this.#startDelayed(now);
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
