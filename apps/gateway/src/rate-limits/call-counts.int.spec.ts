import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#libs/persistence';
import { type ScratchDatabase, scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { gatewaySchema } from '../schema/index.js';
import { CallCounts } from './call-counts.js';

let scratch: ScratchDatabase;
let databases: DataSource[];
let replicas: CallCounts[];

beforeAll(async () => {
  scratch = await scratchDatabase('counts');
  databases = [];
  for (let replica = 1; replica <= 2; replica++)
    databases.push(
      await openDatabase({ url: scratch.url, poolSize: 5 }, { ...gatewaySchema, views: [] }, pino({ level: 'silent' })),
    );
  replicas = databases.map((database) => new CallCounts(database));
});
afterAll(async () => {
  for (const database of databases) await database.destroy();
  await scratch?.drop();
});

const minuteOf = (key: string, time: string): Promise<unknown> =>
  (databases[0] as DataSource).query('update gateway.call_counts set minute = $2::timestamptz where key = $1', [
    key,
    time,
  ]);

it('counts every call once, whichever replica it comes to', async () => {
  // Of a minute that does not end meanwhile.
  await replicas[0]?.add('all');
  await minuteOf('all', '2100-01-01T00:00:00Z');
  const counts = await Promise.all(
    Array.from({ length: 200 }, (_, index) => (replicas[index % 2] as CallCounts).add('all')),
  );
  expect(counts.map(({ observed }) => observed).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 200 }, (_, index) => index + 2),
  );
  expect(counts[0]?.resetAt).toBe(Date.parse('2100-01-01T00:01:00Z') / 1000);
});

it('counts each key alone', async () => {
  const [counts] = replicas as [CallCounts];
  await counts.add('one');
  expect(await counts.add('another')).toMatchObject({ observed: 1 });
});

it('starts anew with each minute', async () => {
  const [counts] = replicas as [CallCounts];
  await counts.add('minutes');
  await counts.add('minutes');
  await minuteOf('minutes', '2001-01-01T00:00:00Z');
  const { observed, resetAt } = await counts.add('minutes');
  expect(observed).toBe(1);
  expect(resetAt % 60).toBe(0);
});

it('forgets whoever has not called for long', async () => {
  const [counts] = replicas as [CallCounts];
  await counts.add('gone');
  await counts.add('there');
  await minuteOf('gone', '2001-01-01T00:00:00Z');
  await counts.purge();
  const rows = (await (databases[0] as DataSource).query(
    `select key from gateway.call_counts where key in ('gone', 'there')`,
  )) as unknown[];
  expect(rows).toEqual([{ key: 'there' }]);
});
