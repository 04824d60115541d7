// needs: postgresql
import { jest } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { DatabaseClock, type Outbox, openDatabase, uuidv7 } from '#libs/persistence';
import { type ScratchDatabase, scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { pipelinesSchema } from '../schema/index.js';
import { purgeBatch } from './outcome-life.js';
import { PipelinesClock } from './pipelines-clock.js';

const now = new Date('2026-11-28T00:00:00Z');
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000);
const log = pino({ level: 'silent' });

let scratch: ScratchDatabase;
let database: DataSource;
let databaseClock: DatabaseClock;
let clock: PipelinesClock;

beforeAll(async () => {
  scratch = await scratchDatabase('clock');
  database = await openDatabase({ url: scratch.url }, pipelinesSchema, log);
  databaseClock = await DatabaseClock.start(database, log);
});
afterAll(async () => {
  databaseClock?.stop();
  await database?.destroy();
  await scratch?.drop();
});
beforeEach(async () => {
  await database.query('delete from pipelines.trigger_outcomes');
  // No delayed jobs here, so nothing is said.
  clock = new PipelinesClock(database, undefined as unknown as Outbox, databaseClock, log);
});

/** Outcomes of requests that were received so many days ago. */
async function outcomes(count: number, daysAgo: number): Promise<void> {
  const ids = Array.from({ length: count }, () => uuidv7(now.getTime() - daysAgo * 86_400_000));
  await database.query(
    `insert into pipelines.trigger_outcomes (request_id, created_at) select id, $2 from unnest($1::uuid[]) as id`,
    [ids, now],
  );
}

async function left(): Promise<number> {
  const [row] = (await database.query('select count(*)::int as count from pipelines.trigger_outcomes')) as {
    count: number;
  }[];
  return row?.count ?? NaN;
}

it('deletes old outcomes, a bounded number in a tick, and leaves those that may still be asked for', async () => {
  await outcomes(2 * purgeBatch + 1, 31);
  await outcomes(3, 29.9);
  const remaining = [];
  for (const seconds of [0, 1, 2, 3]) {
    await clock.tick(later(seconds));
    remaining.push(await left());
  }
  expect(remaining).toEqual([purgeBatch + 4, 4, 3, 3]);
});

it('has nothing to do for an hour after that', async () => {
  await clock.tick(now);
  await outcomes(1, 31);
  await clock.tick(later(3_599));
  expect(await left()).toBe(1);
  await clock.tick(later(3_600));
  expect(await left()).toBe(0);
});

it('tries again soon when they could not be deleted', async () => {
  await outcomes(1, 31);
  const warn = jest.spyOn(log, 'warn');
  await database.query('alter table pipelines.trigger_outcomes rename to elsewhere');
  await clock.tick(now);
  await database.query('alter table pipelines.elsewhere rename to trigger_outcomes');
  expect(warn).toHaveBeenCalledTimes(1);
  await clock.tick(later(10));
  expect(await left()).toBe(0);
});

it('lets replicas delete at once', async () => {
  await outcomes(2 * purgeBatch, 31);
  const other = new PipelinesClock(database, undefined as unknown as Outbox, databaseClock, log);
  await Promise.all([clock.tick(now), other.tick(now)]);
  expect(await left()).toBeLessThanOrEqual(purgeBatch);
});
