import type { Logger } from 'pino';
import { type Outbox, retryingTransaction } from '#libs/persistence';
import type { DataSource } from 'typeorm';
import { lockPipelines, moveJobs, processPipeline } from './statuses.repository.js';

const tickMs = 1_000;
const cleanEveryMs = 3_600_000;
/** A request that is not settled after as long is not published again either (architecture.md §2.8). */
const outcomeDays = 30;

/** What time brings about: delayed jobs start, outcomes that nobody will ask for again go. Any replica may do it, one at a time. */
export class PipelinesClock {
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #cleanedAt = 0;

  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#ticking = this.#ticking
        .then(() => this.#tick(new Date()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'delayed jobs could not be started'));
    }, tickMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#ticking;
  }

  async #tick(now: Date): Promise<void> {
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
    if (now.getTime() - this.#cleanedAt < cleanEveryMs) return;
    this.#cleanedAt = now.getTime();
    await retryingTransaction(this.database, (manager) =>
      manager.query('delete from pipelines.trigger_outcomes where created_at < $1', [
        new Date(now.getTime() - outcomeDays * 86_400_000),
      ]),
    );
  }
}
