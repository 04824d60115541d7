// needs: postgresql
import { pino } from 'pino';
import { openDatabase } from '#libs/persistence';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { pipelinesSchema } from '../schema/index.js';
import { moveJobs } from './statuses.repository.js';

it('moving jobs keeps no plan of the time when there were few, which would read all of them', async () => {
  const scratch = await scratchDatabase('moves');
  const database = await openDatabase({ url: scratch.url }, pipelinesSchema, pino({ level: 'silent' }));
  await database.transaction(async (manager) => {
    for (let time = 1; time <= 3; time++)
      expect(await moveJobs(manager, () => undefined, [time], 'play', new Date())).toEqual([]);
    for (let time = 1; time <= 3; time++) await manager.query('select $1::text as other', [String(time)]);
    const prepared = (await manager.query('select statement from pg_prepared_statements')) as { statement: string }[];
    expect(prepared.map(({ statement }) => statement)).toContain('select $1::text as other');
    expect(prepared.filter(({ statement }) => statement.includes('update pipelines.jobs as job'))).toEqual([]);
  });
  await database.destroy();
  await scratch.drop();
});
