import type { Logger } from 'pino';
import type { Bus, Message } from '#libs/messaging';
import type { EventClass } from '#libs/contracts';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { uuidv7 } from './uuid.js';

/** Long enough for a publish with its time-out, short enough that events of a process that was killed are not late. */
const claimSeconds = 30;
const lookAgainMs = 1_000;

/** SQL of the table that a service's migration creates in its own schema. */
export function outboxTable(schema: string): string {
  return `create table ${pg.escapeIdentifier(schema)}.outbox (
    id bigint generated always as identity primary key,
    type text not null,
    messages json not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    created_at timestamptz not null default now()
  )`;
}

/** Says an event; it is published once the transaction has committed, and never when it has not. */
export type Say = <Fields extends object>(type: EventClass<Fields>, fields: Fields) => void;

/** A row of the table: events of one type. */
export interface OutboxRow {
  id: number;
  type: string;
  messages: Message[];
}

/**
 * Events that leave a service are written in the transaction that made them true, published after it, and taken out once the broker has
 * confirmed them (architecture.md §3). The process that wrote a row publishes it at once; a row it could not publish, or did not live to,
 * is taken by any replica half a minute later.
 */
export class Outbox {
  readonly #database: DataSource;
  readonly #table: string;
  readonly #bus: Bus;
  readonly #source: string;
  readonly #log: Logger;
  readonly #inFlight = new Set<number>();
  #settled: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  readonly #dispatches = new Set<Promise<void>>();

  /**
   * @param schema the service's schema, which holds the table of `outboxTable`
   * @param source the service's name, the CloudEvents `source` of what it says
   */
  constructor(database: DataSource, schema: string, bus: Bus, source: string, log: Logger) {
    this.#database = database;
    this.#table = `${pg.escapeIdentifier(schema)}.outbox`;
    this.#bus = bus;
    this.#source = source;
    this.#log = log;
  }

  /**
   * Runs `work` in a transaction, tries it again after a deadlock or serialization failure, and publishes what it said after the commit.
   * `work` may run more than once, so it has no effects outside the transaction.
   *
   * @throws whatever `work` throws; then nothing was written and nothing will be said
   */
  async transaction<Result>(work: (manager: EntityManager, say: Say) => Promise<Result>): Promise<Result> {
    const { result, rows, hints } = await retryingTransaction(this.#database, async (manager) => {
      const said: Message[] = [];
      const hinted: Message[] = [];
      const answer = await work(manager, (type, fields) =>
        (type.lossy ? hinted : said).push(this.#message(type.type, fields)),
      );
      return { result: answer, rows: await this.#write(manager, byType(said)), hints: byType(hinted) };
    });
    // Runners wait for hints.
    this.#hint(hints);
    this.publish(rows);
    return result;
  }

  /**
   * For a statement that writes something and says so by itself, without a transaction around it: SQL that writes events into the table and returns
   * the row, if there is one, for `publish` once the statement has ended.
   *
   * @param rows SQL of a query whose one column, `data`, is each event's data as JSON
   */
  insertion(type: EventClass<object>, rows: string): string {
    const message = [
      "'id', gen_random_uuid()",
      `'type', ${pg.escapeLiteral(type.type)}`,
      `'source', ${pg.escapeLiteral(this.#source)}`,
      "'time', now()",
      "'data', data",
    ];
    return `insert into ${this.#table} (type, messages, next_attempt_at)
      select ${pg.escapeLiteral(type.type)}, json_agg(json_build_object(${message.join(', ')})), now() + make_interval(secs => ${claimSeconds})
      from (${rows}) as said having count(*) > 0
      returning id, type, messages`;
  }

  /** Publishes rows whose transaction has committed. */
  publish(rows: OutboxRow[]): void {
    for (const row of rows) {
      this.#inFlight.add(row.id);
      const dispatched = this.#publish(row).finally(() => this.#dispatches.delete(dispatched));
      this.#dispatches.add(dispatched);
    }
  }

  /** Says what nobody needs to hear (`EventClass.lossy`), after what makes it true was committed. */
  hint<Fields extends object>(type: EventClass<Fields>, hints: Fields[]): void {
    if (hints.length > 0) this.#hint(new Map([[type.type, hints.map((fields) => this.#message(type.type, fields))]]));
  }

  /** How many rows there are: those on their way, and those that could not be published. */
  async depth(): Promise<number> {
    const [row] = (await this.#database.query(`select count(*)::int as depth from ${this.#table}`)) as {
      depth: number;
    }[];
    return row?.depth ?? 0;
  }

  /** Starts looking for events that were left over. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.#removeSettled())
        .then(() => this.#sweep())
        .catch((error: unknown) => this.#log.warn({ err: error }, 'the outbox could not be read or cleared'));
    }, lookAgainMs).unref();
  }

  /** Stops looking and waits for what is under way; whatever could not be published stays in the table. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
    await Promise.allSettled(this.#dispatches);
    await this.#removeSettled().catch((error: unknown) =>
      this.#log.warn({ err: error }, 'published events could not be taken out of the outbox'),
    );
  }

  #message(type: string, data: object): Message {
    return { id: uuidv7(), type, source: this.#source, time: new Date().toISOString(), data };
  }

  async #write(manager: EntityManager, said: Map<string, Message[]>): Promise<OutboxRow[]> {
    if (said.size === 0) return [];
    const written: { id: number; type: string }[] = await manager.query(
      `insert into ${this.#table} (type, messages, next_attempt_at)
       select type, messages, now() + make_interval(secs => $2) from json_to_recordset($1) as said (type text, messages json)
       returning id, type`,
      [JSON.stringify([...said].map(([type, messages]) => ({ type, messages }))), claimSeconds],
    );
    return written.map(({ id, type }) => ({ id, type, messages: said.get(type) ?? [] }));
  }

  /** Whoever misses a hint looks again soon, and often nobody listens. */
  #hint(hints: Map<string, Message[]>): void {
    for (const messages of hints.values())
      this.#bus.publish(messages).catch((error: unknown) => this.#log.trace({ err: error }, 'nobody heard a hint'));
  }

  async #publish(row: OutboxRow): Promise<void> {
    try {
      await this.#bus.publish(row.messages);
    } catch (error) {
      this.#log.debug({ err: error, type: row.type }, 'an event waits in the outbox');
      this.#inFlight.delete(row.id);
      return;
    }
    this.#settled.push(row.id);
  }

  /** Together and a little later, since every statement costs: whoever is killed before says some of them a second time, which consumers bear. */
  async #removeSettled(): Promise<void> {
    // A copy: more are settled while these are removed.
    const ids = [...this.#settled];
    if (ids.length === 0) return;
    await this.#database.query(`delete from ${this.#table} where id = any($1::bigint[])`, [ids]);
    this.#settled = this.#settled.slice(ids.length);
    for (const id of ids) this.#inFlight.delete(id);
  }

  async #sweep(): Promise<void> {
    if (!this.#bus.connected) return;
    const [rows] = (await this.#database.query(
      `update ${this.#table} set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $1)
       where id in (select id from ${this.#table} where next_attempt_at <= now() and id <> all($2::bigint[])
                    order by id limit 100 for update skip locked)
       returning id, type, messages`,
      [claimSeconds, [...this.#inFlight]],
    )) as [OutboxRow[], number];
    this.publish(rows);
  }
}

function byType(messages: Message[]): Map<string, Message[]> {
  const groups = new Map<string, Message[]>();
  for (const message of messages) {
    const group = groups.get(message.type);
    if (group) group.push(message);
    else groups.set(message.type, [message]);
  }
  return groups;
}

/** Deadlock and serialization failure: PostgreSQL asks to try the transaction again. */
const passing = new Set(['40P01', '40001']);

/** A transaction that is tried up to three times when PostgreSQL says that this may help. */
export function retryingTransaction<Result>(
  database: DataSource,
  work: (manager: EntityManager) => Promise<Result>,
): Promise<Result> {
  return retrying(() => database.transaction(work));
}

/** The same for work that is a transaction by itself. */
export async function retrying<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (attempt === 3 || !code || !passing.has(code)) throw error;
    }
  }
}
