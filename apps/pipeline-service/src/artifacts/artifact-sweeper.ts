import type { Logger } from 'pino';
import { ArtifactsRemoved } from '#libs/contracts';
import type { DatabaseClock, Outbox } from '#libs/persistence';

const sweepMs = 10_000;
const atOnce = 500;

/** Takes away what has expired, and what is left of jobs that are not there any more. Replicas may do it at once: each takes rows that no other has. */
export class ArtifactSweeper {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.sweep(this.clock.now()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'expired artifacts could not be swept'));
    }, sweepMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async sweep(now: Date): Promise<void> {
    while ((await this.#take(expired, [now])) === atOnce);
    while ((await this.#take(orphaned, [])) === atOnce);
  }

  /** @returns how many rows there were */
  #take(statement: string, values: unknown[]): Promise<number> {
    return this.outbox.transaction(async (manager, say) => {
      const [rows] = (await manager.query(statement, values)) as [{ key: string | null }[], number];
      const storageKeys = rows.flatMap(({ key }) => key ?? []);
      if (storageKeys.length > 0) say(ArtifactsRemoved, { storageKeys });
      return rows.length;
    });
  }
}

const expired = `
  with gone as materialized (
    select id, storage_key from pipelines.artifacts where storage_key is not null and expire_at <= $1
    order by expire_at limit ${atOnce} for update skip locked
  )
  update pipelines.artifacts as artifact set storage_key = null from gone where artifact.id = gone.id returning gone.storage_key as key`;

const orphaned = `
  delete from pipelines.artifacts where id in (
    select id from pipelines.artifacts where job_id is null order by id limit ${atOnce} for update skip locked
  ) returning storage_key as key`;
