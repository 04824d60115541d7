import pino from 'pino';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#libs/persistence';
import { scratchDatabase, type ScratchDatabase } from '../../../libs/persistence/src/testing/scratch-database.js';
import { ParkedMessagesRepository, standaloneSchema } from './parked-messages.repository.js';

describe('ParkedMessagesRepository', () => {
  let scratch: ScratchDatabase;
  let database: DataSource;
  let parked: ParkedMessagesRepository;
  const message = (id: string) => ({
    id,
    type: 'job.queued.v1',
    source: '/test',
    time: '2026-01-01T00:00:00Z',
    data: { n: id },
  });

  beforeAll(async () => {
    scratch = await scratchDatabase('parked');
    database = await openDatabase({ url: scratch.url }, standaloneSchema, pino({ level: 'silent' }));
    parked = new ParkedMessagesRepository(database);
  });

  afterAll(async () => {
    await database.destroy();
    await scratch.drop();
  });

  it('keeps each message of a queue once, the oldest first, until it is dropped', async () => {
    await parked.park(message('b'), 'one', 'broken');
    await parked.park(message('a'), 'one', 'broken');
    await parked.park(message('b'), 'two', 'broken');
    await parked.park(message('b'), 'one', 'broken again');
    expect(await parked.list('one', 10, 0)).toEqual([
      { queue: 'one', id: 'a', reason: 'broken', parkedAt: expect.any(String), messages: [message('a')] },
      { queue: 'one', id: 'b', reason: 'broken again', parkedAt: expect.any(String), messages: [message('b')] },
    ]);
    expect((await parked.list('one', 1, 0)).map(({ id }) => id)).toEqual(['a']);
    expect((await parked.list('one', 1, 1)).map(({ id }) => id)).toEqual(['b']);
    expect([await parked.count('one'), await parked.count('two'), await parked.count('three')]).toEqual([2, 1, 0]);
    expect(await parked.find('two', 'b')).toMatchObject({ queue: 'two', messages: [message('b')] });
    expect(await parked.find('two', 'a')).toBeUndefined();
    expect(await parked.drop('one', 'a')).toBe(true);
    expect(await parked.drop('one', 'a')).toBe(false);
    expect((await parked.list('one', 10, 0)).map(({ id }) => id)).toEqual(['b']);
  });

  it('keeps what PostgreSQL does not take as it is: NUL characters, and halves of a pair of surrogates', async () => {
    const odd = { ...message('n'), data: { n: 'a\0b\ud800', 'k\0': '\udc00' } };
    await parked.park(odd, 'odd', 'it said \0 and \ud800');
    expect(await parked.find('odd', 'n')).toMatchObject({ messages: [odd], reason: 'it said \ufffd and \ufffd' });
    await parked.park({ ...odd, id: 'n\0' }, 'odd', 'again');
    expect(await parked.drop('odd', 'n\0')).toBe(true);
    expect(await parked.drop('odd', 'n')).toBe(true);
  });
});
