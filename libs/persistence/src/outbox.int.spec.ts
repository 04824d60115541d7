// needs: postgresql
import pg from 'pg';
import pino from 'pino';
import type { Bus, Message } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { until } from '../../messaging/src/testing/until.js';
import { Outbox, outboxTable } from './outbox.js';
import { type ScratchDatabase, scratchDatabase } from './testing/scratch-database.js';

class Happened {
  static readonly type = 'happened.v1';
  number!: number;
}

let scratch: ScratchDatabase;
let database: DataSource;
let other: pg.Client;
let outbox: Outbox;
let published: Message[];

beforeAll(async () => {
  scratch = await scratchDatabase('outbox');
  database = await new DataSource({ type: 'postgres', url: scratch.url }).initialize();
  await database.query('create schema things');
  await database.query(outboxTable('things'));
  other = new pg.Client({ connectionString: scratch.url });
  await other.connect();
  published = [];
  const publish = async (messages: Message[]) => void published.push(...messages);
  const bus = { publish } as unknown as Bus;
  outbox = new Outbox(database, 'things', bus, '/things', pino({ level: 'silent' }));
  outbox.start();
});

afterAll(async () => {
  await other?.end();
  await outbox?.stop();
  await database?.destroy();
  await scratch?.drop();
});

const say = (number: number) => outbox.transaction(async (_, event) => event(Happened, { number }));

it('takes out what is published while others are taken out, and says nothing twice', async () => {
  await say(1);
  await other.query('begin');
  await other.query('select from things.outbox for update');
  await until('the removal to wait', async () => {
    // Not by the other connection: a transaction sees the same activity until its end.
    const waiting = await database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length === 1;
  });
  await say(2);
  await other.query('commit');
  // Well before the row could be published again.
  await until(
    'an empty outbox',
    async () => (await other.query('select from things.outbox')).rows.length === 0,
    10_000,
  );
  expect(published.map(({ data }) => data)).toEqual([{ number: 1 }, { number: 2 }]);
});
