import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import pg from 'pg';
import { preparingDriver } from './preparing-driver.js';
import { ensureInstallation, grantInstallation } from './installation.js';
import { DataSource, type EntityTarget, type MigrationInterface, type ObjectLiteral } from 'typeorm';

// Ids stay below 2^53, and every consumer of our JSON wants numbers (runner-api.md §0, trap 3), so bigint is read as a number everywhere.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** How a service reaches its database. */
export interface DatabaseSettings {
  /** The connection the service works with; in production a role with rights on its own schema alone. */
  url: string;
  /** The connection that owns schemas and grants; the same as `url` where there is only one role. */
  migrationUrl?: string;
  /** Connections in the pool. */
  poolSize?: number;
  /**
   * True for the database inside the process: all its clients share one session, so there are no session locks, and none are needed,
   * since the data directory is locked.
   */
  embedded?: boolean;
}

/** One service's part of the database. */
export interface Schema {
  /** Name of the PostgreSQL schema and, in logs and `pg_stat_activity`, of its user. */
  name: string;
  entities: EntityTarget<ObjectLiteral>[];
  /** Written by hand, in order; each runs in a transaction of its own. */
  migrations: (new () => MigrationInterface)[];
  /** What the service may see outside its schema, granted to its role where that is not the owner: qualified view names. */
  views?: string[];
}

/** Any constant will do, as long as all versions of all services use the same one. */
const migrationLock = 7_245_091_133;

/**
 * Waits for the database, brings the schema up to date (one process at a time) and opens the pool.
 *
 * @param deadlineMs how long to wait for the server and for another process that migrates
 * @throws Error when the deadline has passed or a migration fails
 */
export async function openDatabase(
  settings: DatabaseSettings,
  schema: Schema,
  log: Logger,
  deadlineMs = 60_000,
): Promise<DataSource> {
  const owner = await connect(settings.migrationUrl ?? settings.url, log, performance.now() + deadlineMs);
  const alone = async (work: () => Promise<void>): Promise<void> => {
    if (!settings.embedded) await lockMigrations(owner, performance.now() + deadlineMs);
    await work();
    if (!settings.embedded) await owner.query('select pg_advisory_unlock($1)', [migrationLock]);
  };
  try {
    await alone(async () => {
      await ensureInstallation(owner);
      await owner.query(`create schema if not exists ${pg.escapeIdentifier(schema.name)}`);
      await migrate(settings.migrationUrl ?? settings.url, schema, log);
    });
    // Not while the lock is held: the services that own the views need it to make them.
    await waitForViews(owner, schema, performance.now() + deadlineMs);
    await alone(() => grant(owner, settings, schema));
  } finally {
    await owner.end();
  }
  const worker = options(settings.url, schema, settings.poolSize ?? 10);
  const database = new DataSource({
    ...worker,
    // In the embedded database all clients share one session, in which their statements' names would meet.
    driver: settings.embedded ? undefined : preparingDriver,
    extra: { ...worker.extra, query_timeout: queryTimeoutMs },
  });
  return database.initialize();
}

function options(url: string, schema: Schema, poolSize: number) {
  return {
    type: 'postgres' as const,
    url,
    schema: schema.name,
    applicationName: `flagfall ${schema.name}`,
    poolSize,
    entities: schema.entities as Function[],
    migrations: schema.migrations as Function[],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each' as const,
    synchronize: false,
    extra: { connectionTimeoutMillis: 5_000, keepAlive: true },
  };
}

/** A frozen server must not hold callers for ever; no statement of a service takes anywhere near as long. */
const queryTimeoutMs = 10_000;

async function connect(url: string, log: Logger, deadline: number): Promise<pg.Client> {
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    // An error on an idle connection is an event; the next query reports it to whoever asks.
    client.on('error', (error) => log.warn({ err: error.message }, 'the database connection broke'));
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (performance.now() > deadline)
        throw new Error(`The database cannot be reached: ${reason(error)}`, { cause: error });
      log.info({ reason: reason(error) }, 'waiting for the database');
      await delay(500);
    }
  }
}

/**
 * Polls instead of waiting in the lock: a blocked `pg_advisory_lock` holds a snapshot, on which `create index concurrently` in the other
 * process would wait for ever (measured).
 */
async function lockMigrations(owner: pg.Client, deadline: number): Promise<void> {
  for (;;) {
    const { rows } = await owner.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      migrationLock,
    ]);
    if (rows[0]?.locked) return;
    if (performance.now() > deadline)
      throw new Error('Another process has been migrating the database for too long; look for it in pg_stat_activity');
    await delay(200);
  }
}

async function migrate(url: string, schema: Schema, log: Logger): Promise<void> {
  const database = await new DataSource(options(url, schema, 1)).initialize();
  try {
    const done = await database.runMigrations();
    if (done.length > 0)
      log.info(
        { schema: schema.name, migrations: done.map((migration) => migration.name) },
        'the schema is up to date',
      );
  } finally {
    await database.destroy();
  }
}

/** They may still be on their way from another service. */
async function waitForViews(owner: pg.Client, schema: Schema, deadline: number): Promise<void> {
  for (const view of schema.views ?? []) {
    while (!(await owner.query('select to_regclass($1) as found', [view])).rows[0].found) {
      if (performance.now() > deadline)
        throw new Error(`The view ${view} is missing: is the service that owns it running?`);
      await delay(200);
    }
  }
}

/** Gives the service's role its own schema and the views it may read. */
async function grant(owner: pg.Client, settings: DatabaseSettings, schema: Schema): Promise<void> {
  if (!settings.migrationUrl || settings.migrationUrl === settings.url) return;
  const worker = await connectOnce(settings.url);
  const role = pg.escapeIdentifier(worker);
  const name = pg.escapeIdentifier(schema.name);
  await owner.query(`grant usage on schema ${name} to ${role}`);
  await owner.query(`grant select, insert, update, delete on all tables in schema ${name} to ${role}`);
  await owner.query(`grant usage, select on all sequences in schema ${name} to ${role}`);
  await grantInstallation(owner, role);
  for (const view of schema.views ?? []) {
    await owner.query(`grant usage on schema ${pg.escapeIdentifier(view.split('.')[0] ?? '')} to ${role}`);
    await owner.query(`grant select on ${view} to ${role}`);
  }
}

async function connectOnce(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ role: string }>('select current_user as role');
    return rows[0]?.role ?? '';
  } finally {
    await client.end();
  }
}

function reason(error: unknown): string {
  // A refused connection to a name with two addresses is an AggregateError with an empty message.
  if (error instanceof AggregateError) return error.errors.map(reason).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** Whether the data of a statement is to blame for its error (SQLSTATE classes 21, 22 and 23), and not the server or the way to it. */
export function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^2[123]...$/.test(code);
}

/** A service's connections: those in use, those that are free, callers that wait for one, and how many there may be. */
export function poolOf(database: DataSource): { used: number; idle: number; waiting: number; most: number } {
  const { totalCount, idleCount, waitingCount, options } = (database.driver as unknown as { master: pg.Pool }).master;
  return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount, most: options.max };
}
