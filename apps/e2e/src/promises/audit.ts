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
 * A wrong call never has one, and where it was accepted its status URL tells that it was rejected.
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
      if (String(found) !== String(expected ?? found) || found.length > (call.wrong ? 0 : 1))
        faults.push(
          `${call.wrong ? 'wrong call' : 'call'} ${call.number} was told ${call.status} ${JSON.stringify(call.body)}, and has the pipelines [${found.join()}]`,
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

export async function withDatabase<Result>(
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
  { body, wrong }: Told,
  kind: keyof Audit,
  found: number,
): Promise<number[] | null> {
  if (kind === 'unknown') return null;
  if (kind === 'refused') return [];
  if (kind === 'created') return [body.id];
  const { status, pipeline } = await outcome(flagfall, body.status_url);
  if (status !== (wrong ? 'rejected' : 'created'))
    throw new Error(`${body.status_url} says ${status}, and there are ${found} pipelines`);
  return wrong ? [] : [pipeline.id];
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
