import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Batches, isDataError } from '#libs/persistence';

/** How many calls there were in this minute. */
export interface Count {
  /** This one included, whichever gateway they came to. */
  observed: number;
  /** Unix time in seconds at which the next minute begins. */
  resetAt: number;
}

/**
 * Counts calls by minute of the database's clock, for all gateways together: `gateway.call_counts` has one row for whoever is counted. Concurrent calls
 * share one statement. A crash of the database may forget them, and counting starts anew (docs/adr/0035-rate-limits.md).
 */
@Injectable()
export class CallCounts {
  readonly #database: DataSource;
  readonly #counting: Batches<string, Count>;

  constructor(database: DataSource) {
    this.#database = database;
    // Written again item by item after any other error, some calls might count twice.
    this.#counting = new Batches((keys) => this.#count(keys), { blame: isDataError });
  }

  /**
   * Counts a call.
   * @param key who or what is counted
   * @throws whatever the database fails with; the call may have been counted then
   */
  add(key: string): Promise<Count> {
    return this.#counting.add(key);
  }

  async #count(keys: string[]): Promise<Count[]> {
    const calls = new Map<string, number>();
    /** Which of the calls of its key each one is. */
    const places = keys.map((key) => {
      const place = (calls.get(key) ?? 0) + 1;
      calls.set(key, place);
      return place;
    });
    // In order, so that two gateways never wait for each other in a circle. One that waited over the turn of a minute counts for the new one.
    const rows = (await this.#database.query(
      `insert into gateway.call_counts as known (key, minute, calls)
       select key, date_trunc('minute', clock_timestamp()), calls from unnest($1::text[], $2::int[]) as counted (key, calls) order by key
       on conflict (key) do update set minute = greatest(known.minute, excluded.minute),
         calls = excluded.calls + case when known.minute >= excluded.minute then known.calls else 0 end
       returning key, calls, extract(epoch from minute)::float8 + 60 as reset_at`,
      [[...calls.keys()], [...calls.values()]],
    )) as { key: string; calls: number; reset_at: number }[];
    const counted = new Map(rows.map((row) => [row.key, row]));
    return keys.map((key, index) => {
      const row = counted.get(key) as (typeof rows)[number];
      return { observed: row.calls - (calls.get(key) as number) + (places[index] as number), resetAt: row.reset_at };
    });
  }

  /** Forgets whoever has not called for an hour. */
  async purge(): Promise<void> {
    await this.#database.query(`delete from gateway.call_counts where minute < now() - interval '1 hour'`);
  }
}
