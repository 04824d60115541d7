import pg from 'pg';
import type { Schema } from '#libs/persistence';
import { gatewaySchema } from '../../gateway/src/schema/index.js';
import { pipelinesSchema } from '../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../token-service/src/schema/index.js';
import { type Finding, ok, reasonOf, unknown, wrong } from './finding.js';

const services: Record<string, string> = {
  gateway: 'gateway',
  tokens: 'token-service',
  pipelines: 'pipeline-service',
};
const oldestServer = 150_000;
const answerMs = 5_000;
/** Signed times and expiries are compared across machines; this much nobody notices. */
const clockToleranceMs = 5_000;
/** A repository that cannot be reached is tried for a quarter of an hour, and some more is nothing to worry about. */
const unsettledMinutes = 20;
/** A runner with time for a job asks for one every minute at least. */
const silentMinutes = 5;

/**
 * Whether the database can be used, is up to date, and has the same time as this machine; how long accepted requests have waited; and what is parked
 * there, in an installation without a broker. Each role sees its own schema only: what it does not see is told.
 * @param url undefined where there is none to be looked at
 */
export async function checkDatabase(url: string | undefined): Promise<Finding[]> {
  if (url === undefined)
    return [
      wrong(
        'database',
        'none is named by DATABASE_URL, and no embedded one runs on DATA_DIR',
        'Start Flagfall (npm start), or run this where its services run, with their environment.',
      ),
    ];
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
    application_name: 'flagfall doctor',
  });
  // The next query tells what an idle connection broke of.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await examine(client);
  } catch (error) {
    return [
      wrong(
        'database',
        `it does not work: ${reasonOf(error)}`,
        'See whether PostgreSQL runs, and whether DATABASE_URL names it with the right user and password. Until then triggers are answered with 503.',
      ),
    ];
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function examine(client: pg.Client): Promise<Finding[]> {
  const began = Date.now();
  const { rows } = await client.query<{ version: string; number: number; now: number }>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
            (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  );
  const { version = '', number = 0, now = 0 } = rows[0] ?? {};
  const findings = [
    number >= oldestServer
      ? ok('database', `PostgreSQL ${version} answers`)
      : wrong('database', `PostgreSQL ${version} is too old`, 'Upgrade it to version 15 or newer.'),
    checkClock(now - (began + Date.now()) / 2),
  ];
  const visible: string[] = [];
  const hidden: string[] = [];
  for (const schema of [gatewaySchema, tokensSchema, pipelinesSchema]) {
    const seen = await checkSchema(client, schema);
    if (seen === 'hidden') hidden.push(schema.name);
    else if (seen === 'current') visible.push(schema.name);
    else findings.push(seen);
  }
  if (visible.length > 0) findings.push(ok('schemas', `${visible.join(', ')}: up to date`));
  if (hidden.length > 0)
    findings.push(unknown('schemas', `${hidden.join(', ')}: not for this role to see; ask where those services run`));
  if (visible.includes('gateway')) findings.push(await checkLedger(client));
  if (visible.includes('pipelines')) findings.push(await checkRunners(client));
  findings.push(...(await checkParkedRows(client)));
  return findings;
}

function checkClock(differenceMs: number): Finding {
  const seconds = Math.abs(Math.round(differenceMs / 100) / 10);
  if (Math.abs(differenceMs) <= clockToleranceMs) return ok('clock', 'the same time here as at the database');
  return wrong(
    'clock',
    `this machine is ${seconds} s ${differenceMs > 0 ? 'behind' : 'ahead of'} the database`,
    'Let both keep their time by NTP: tokens expire and requests are given up by the clock.',
  );
}

/** Whether every migration that this version knows has run, and no other. */
async function checkSchema(client: pg.Client, { name, migrations }: Schema): Promise<Finding | 'current' | 'hidden'> {
  const { rows: found } = await client.query<{ there: boolean; usable: boolean; readable: boolean | null }>(
    // The table is not looked up where its schema may not be used: that would be an error.
    `select schema is not null as there, coalesce(has_schema_privilege(schema, 'usage'), false) as usable,
            case when has_schema_privilege(schema, 'usage') then has_table_privilege(to_regclass($2), 'select') end as readable
     from to_regnamespace($1) as schema`,
    [name, `${name}.migrations`],
  );
  const { there = false, usable = false, readable = null } = found[0] ?? {};
  // The views of a schema are usable by roles that may not read its tables.
  if ((there && !usable) || readable === false) return 'hidden';
  const about = `schema ${name}`;
  const service = services[name] ?? name;
  if (readable === null)
    return wrong(
      about,
      'it is not there yet',
      `Start the ${service}; it makes its schema when it starts, and its log says when it cannot.`,
    );
  const { rows } = await client.query<{ name: string }>(`select name from ${pg.escapeIdentifier(name)}.migrations`);
  const done = new Set(rows.map((row) => row.name));
  const known = migrations.map((migration) => migration.name);
  if (known.some((migration) => !done.has(migration)))
    return wrong(
      about,
      'it is of an older version',
      `Start the ${service} of this version; it brings the schema up to date.`,
    );
  if (rows.length > known.length)
    return wrong(
      about,
      'it is of a newer version',
      `Run the newer version: an older ${service} may not understand it.`,
    );
  return 'current';
}

async function checkLedger(client: pg.Client): Promise<Finding> {
  const { rows } = await client.query<{ open: number; oldest: Date | null; minutes: number | null }>(
    `select count(*)::int as open, min(received_at) as oldest, floor(extract(epoch from now() - min(received_at)) / 60)::int as minutes
     from gateway.trigger_requests where state = 'accepted'`,
  );
  const { open = 0, oldest, minutes } = rows[0] ?? {};
  if (!oldest) return ok('ledger', 'every accepted trigger request has its outcome');
  const text = `${open} accepted trigger ${open === 1 ? 'request waits' : 'requests wait'} for an outcome, the oldest for ${minutes} minutes (since ${oldest.toISOString()})`;
  if ((minutes ?? 0) < unsettledMinutes) return ok('ledger', text);
  return wrong(
    'ledger',
    text,
    'They are kept, and run once the pipeline-service takes them: see what is said of queues below, and its log for repositories that cannot be read.',
  );
}

/** Whether jobs wait although no runner asks for any. One that is busy does not ask. */
async function checkRunners(client: pg.Client): Promise<Finding> {
  const { rows } = await client.query<{
    waiting: number;
    minutes: number;
    running: number;
    heard: number;
    known: number;
  }>(
    `select count(*) filter (where runner_id is null)::int as waiting, count(*) filter (where runner_id is not null)::int as running,
            coalesce(floor(extract(epoch from now() - min(queued_at) filter (where runner_id is null)) / 60), 0)::int as minutes,
            (select count(*)::int from pipelines.runners where not paused) as known,
            (select count(*)::int from pipelines.runner_machines join pipelines.runners as runner on runner.id = runner_id
             where not runner.paused and runner_machines.contacted_at > now() - make_interval(mins => $1)) as heard
     from pipelines.jobs where status in ('pending', 'running', 'canceling') and not bridge`,
    [silentMinutes],
  );
  const { waiting = 0, minutes = 0, running = 0, heard = 0, known = 0 } = rows[0] ?? {};
  const text = `${heard} asked for jobs in the last ${silentMinutes} minutes; ${running} jobs run, ${waiting} wait, the oldest for ${minutes} minutes`;
  if (heard > 0 || running > 0 || minutes < silentMinutes) return ok('runners', text);
  return wrong(
    'runners',
    text,
    known === 0
      ? 'No runner is registered, or all are paused: register one, or resume it, on the page of runners.'
      : 'See whether the runners run, and in their logs whether they reach the gateway by EXTERNAL_URL.',
  );
}

/** Where messages stay within the process, what handlers gave up on is in a table. */
async function checkParkedRows(client: pg.Client): Promise<Finding[]> {
  const { rows: tables } = await client.query(
    `select coalesce(has_schema_privilege(to_regnamespace('standalone'), 'usage'), false) as usable,
            to_regclass('standalone.parked_messages') as found`,
  );
  if (!tables[0].usable || !tables[0].found) return [];
  const { rows } = await client.query<{ queue: string; count: number }>(
    'select queue, count(*)::int as count from standalone.parked_messages group by queue order by queue',
  );
  return [parked(rows)];
}

/** @param counts of queues where something is parked */
export function parked(counts: readonly { queue: string; count: number }[]): Finding {
  if (counts.length === 0) return ok('parked', 'nothing was given up on');
  return wrong(
    'parked',
    counts.map(({ queue, count }) => `${count} of ${queue}`).join(', '),
    '`flagfall parked list` says why; then `flagfall parked replay <id>` or `flagfall parked drop <id>`.',
  );
}
