import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

const readEveryMs = 10_000;

/**
 * The database's time, which is the same for all replicas and for what is stored: a service that compares times with its own machine's would take live
 * runners for silent, and requests that just came for old ones, as soon as that machine's clock is set, or differs from another's.
 *
 * Asked for now and then, and counted on by the monotonic clock in between, so that knowing the time costs nothing.
 */
export class DatabaseClock {
  #timer: NodeJS.Timeout | undefined;
  /** What the database's time was, in milliseconds since 1970, when the monotonic clock was at 0. */
  #originMs = Number.NaN;

  private constructor(private readonly database: DataSource) {}

  /** @throws Error when the database does not tell its time now; later failures leave the time as it was counted */
  static async start(database: DataSource, log: Logger): Promise<DatabaseClock> {
    const clock = new DatabaseClock(database);
    await clock.#read();
    clock.#timer = setInterval(() => {
      clock.#read().catch((error: unknown) => log.debug({ err: error }, 'the database did not tell the time'));
    }, readEveryMs).unref();
    return clock;
  }

  now(): Date {
    return new Date(this.#originMs + performance.now());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const asked = performance.now();
    const [row] = (await this.database.query(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
    )) as { now: number }[];
    const answered = performance.now();
    const originMs = Number(row?.now) - (asked + answered) / 2;
    // Within what the way there and back may have cost it is the same time: it need not jump to and fro.
    if (!(Math.abs(originMs - this.#originMs) <= (answered - asked) / 2)) this.#originMs = originMs;
  }
}
