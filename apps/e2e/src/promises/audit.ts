import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Flagfall } from '../testing/flagfall.js';
import type { Told } from './calls.js';

const settleLimitMs = 100_000;

/** What became of calls, by what was told about them. */
export interface Audit {
  created: number;
  accepted: number;
  refused: number;
  unknown: number;
}

/**
 * Waits until every request is settled, then holds what callers were told against the status URLs and the database: whoever got a 2xx has exactly one
 * pipeline, whoever was refused none, and whoever knows nothing (no answer, or a 503, which is also the answer when a commit was lost) at most one.
 *
 * @throws Error with every call for which that is not so
 */
export async function audit(flagfall: Flagfall, calls: readonly Told[]): Promise<Audit> {
  return withDatabase(flagfall, async (database) => {
    await settled(database);
    const pipelines = await pipelinesByNumber(database);
    const faults: string[] = [];
    const sums: Audit = { created: 0, accepted: 0, refused: 0, unknown: 0 };
    for (const call of calls) {
      const found = pipelines.get(call.number) ?? [];
      const kind = kindOf(call);
      sums[kind]++;
      const expected = await expectedPipelines(flagfall, call, kind, found.length);
      if (String(found) !== String(expected ?? found) || found.length > 1)
        faults.push(
          `call ${call.number} was told ${call.status} ${JSON.stringify(call.body)}, and has the pipelines [${found.join()}]`,
        );
    }
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return sums;
  });
}

/** How many requests are recorded and have no outcome yet. */
export function openRequests(flagfall: Flagfall): Promise<number> {
  return withDatabase(flagfall, countOpen);
}

async function withDatabase<Result>(
  { installation: { databaseUrl } }: Flagfall,
  use: (database: pg.Client) => Promise<Result>,
): Promise<Result> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    return await use(database);
  } finally {
    await database.end();
  }
}

async function countOpen(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ open: number }>(
    `select count(*)::int as open from gateway.trigger_requests where state = 'accepted'`,
  );
  return rows[0]?.open ?? 0;
}

function kindOf({ status }: Told): keyof Audit {
  if (status === 201) return 'created';
  if (status === 202) return 'accepted';
  return status === undefined || status === 503 ? 'unknown' : 'refused';
}

/** The pipelines that a call must have; null where one or none is right. */
async function expectedPipelines(
  flagfall: Flagfall,
  { body }: Told,
  kind: keyof Audit,
  found: number,
): Promise<number[] | null> {
  if (kind === 'unknown') return null;
  if (kind === 'refused') return [];
  if (kind === 'created') return [body.id];
  const { status, pipeline } = await outcome(flagfall, body.status_url);
  if (status !== 'created') throw new Error(`${body.status_url} says ${status}, and there are ${found} pipelines`);
  return [pipeline.id];
}

/** What a status URL tells. */
export async function outcome(flagfall: Flagfall, statusUrl: string) {
  const { pathname } = new URL(statusUrl);
  const { status, body } = await flagfall.call({ path: pathname.replace('/api/v4', '') });
  if (status !== 200) throw new Error(`${statusUrl} answered ${status}`);
  return body;
}

/** What waits for a minute until it is published again need not be waited for: to the ledger that minute has passed. */
async function settled(database: pg.Client): Promise<void> {
  await until(
    'all requests to be settled',
    async () => {
      await database.query(
        `update gateway.trigger_requests set next_publish_at = now()
         where state = 'accepted' and received_at < now() - interval '3 seconds' and publish_attempts < 2`,
      );
      return (await countOpen(database)) === 0;
    },
    settleLimitMs,
  );
}

async function pipelinesByNumber(database: pg.Client): Promise<Map<string, number[]>> {
  const { rows } = await database.query<{ id: number; variables: { key: string; value: string }[] }>(
    'select id::int, variables from pipelines.pipelines order by id',
  );
  const byNumber = new Map<string, number[]>();
  for (const { id, variables } of rows) {
    const number = variables.find(({ key }) => key === 'NUMBER')?.value;
    if (number !== undefined) byNumber.set(number, [...(byNumber.get(number) ?? []), id]);
  }
  return byNumber;
}

/** Where a status stands on the way from creation to the end; the rest are ends, which are never left. */
const order = ['created', 'manual', 'pending', 'running', 'canceling'];
/** After so long a job that was taken, and of which nothing is heard, is given back or given up (job-sweeper.ts). */
const workLimitMs = 250_000;

/** Records in the database each change of a job's or pipeline's status from now on, for `auditWork`. */
export function recordStatuses(flagfall: Flagfall): Promise<unknown> {
  return withDatabase(flagfall, (database) =>
    database.query(`
      create schema audit;
      create table audit.changes (number bigint generated always as identity, kind text, id bigint, was text, now text);
      create function audit.record() returns trigger language plpgsql as $$
        begin
          insert into audit.changes (kind, id, was, now) values (tg_table_name, new.id, old.status, new.status);
          return null;
        end $$;
      create trigger record after update of status on pipelines.jobs
        for each row when (old.status <> new.status) execute function audit.record();
      create trigger record after update of status on pipelines.pipelines
        for each row when (old.status <> new.status) execute function audit.record()`),
  );
}

/** What became of jobs that were run. */
export interface WorkAudit {
  ran: number;
  succeeded: number;
  /** Failed, since their runner was lost or could not be heard. */
  failed: number;
}

/**
 * Waits until every job is over, every event delivered and every queue empty; then holds against each other what ran and what is recorded.
 *
 * @param ranFile where each job has written its id, each time that it ran
 * @throws Error when a job ran twice, or is said to have succeeded and did not run; a status went back; a message is left over or parked; or
 *   a trigger's last use is not its newest pipeline
 */
export async function auditWork(flagfall: Flagfall, ranFile: string): Promise<WorkAudit> {
  return withDatabase(flagfall, async (database) => {
    const rows = async (query: string): Promise<any[]> => (await database.query(query)).rows;
    const isEmpty = async (what: string, query: string, limitMs: number): Promise<void> => {
      let left: unknown[] = [];
      await until(what, async () => (left = await rows(query)).length === 0, limitMs).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${JSON.stringify(left.slice(0, 20))}`, { cause: error });
      });
    };
    await isEmpty(
      'all jobs to be over',
      `select id, status, runner_id, last_contact_at from pipelines.jobs where status in ('created', 'pending', 'running', 'canceling')`,
      workLimitMs,
    );
    for (const schema of ['pipelines', 'tokens'])
      await isEmpty(`the outbox of ${schema} to be empty`, `select * from ${schema}.outbox`, settleLimitMs);
    await queuesAreEmpty(flagfall);
    await isEmpty(
      'each trigger to be last used by its newest pipeline',
      `select t.id, t.last_used_pipeline_id, newest.id as newest from tokens.triggers as t
         join (select distinct on (trigger_id) trigger_id, id, created_at from pipelines.pipelines order by trigger_id, id desc) as newest
           on newest.trigger_id = t.id
       where t.last_used_pipeline_id is distinct from newest.id or t.last_used is distinct from newest.created_at::timestamptz(3)`,
      settleLimitMs,
    );
    const changes = await rows('select * from audit.changes order by number');
    const back = changes.filter(
      ({ was, now }) => order.indexOf(was) < 0 || (order.includes(now) && order.indexOf(now) < order.indexOf(was)),
    );
    const faults = back.map(
      ({ kind, id, was, now }) => `the status of ${id} of ${kind} went from ${was} back to ${now}`,
    );
    const ran = (await readFile(ranFile, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);
    const jobs = await rows(`select id::int, status from pipelines.jobs where started_at is not null`);
    const twice = ran.filter((id, index) => ran.indexOf(id) !== index);
    faults.push(...twice.map((id) => `job ${id} ran twice`));
    const succeeded = jobs.filter(({ status }) => status === 'success');
    faults.push(
      ...succeeded.filter(({ id }) => !ran.includes(id)).map(({ id }) => `job ${id} succeeded and did not run`),
    );
    if (faults.length > 0) throw new Error(faults.join('\n'));
    return { ran: ran.length, succeeded: succeeded.length, failed: jobs.length - succeeded.length };
  });
}

/** Parked messages lie in queues, too. */
async function queuesAreEmpty({ installation: { broker } }: Flagfall): Promise<void> {
  let left: { name: string; messages: number }[] = [];
  await until(
    'all queues to be empty',
    async () => {
      left = JSON.parse((await broker?.control('--formatter', 'json', 'list_queues', 'name', 'messages')) ?? '[]');
      left = left.filter(({ messages }) => messages > 0);
      return left.length === 0;
    },
    settleLimitMs,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(left)}`, { cause: error });
  });
}
