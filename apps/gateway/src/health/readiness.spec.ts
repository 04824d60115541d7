import { Readiness } from './readiness.js';

it('is ready once everything was, and stays so while what is always needed works', async () => {
  const works = { database: true, broker: false };
  const readiness = new Readiness();
  readiness.register({ name: 'database', check: () => works.database, needed: 'always' });
  readiness.register({ name: 'broker', check: async () => works.broker, needed: 'start' });
  expect(await readiness.report()).toEqual({ ready: false, checks: { database: 'ok', broker: 'failed' } });
  works.broker = true;
  expect(await readiness.report()).toEqual({ ready: true, checks: { database: 'ok', broker: 'ok' } });
  works.broker = false;
  expect(await readiness.report()).toEqual({ ready: true, checks: { database: 'ok', broker: 'failed' } });
  works.database = false;
  expect(await readiness.report()).toEqual({ ready: false, checks: { database: 'failed', broker: 'failed' } });
});

it('takes an error for a no', async () => {
  const readiness = new Readiness();
  const check = () => {
    throw new Error('away');
  };
  readiness.register({ name: 'storage', check, needed: 'always' });
  expect(await readiness.report()).toEqual({ ready: false, checks: { storage: 'failed' } });
});

it('takes silence for a no', async () => {
  const readiness = new Readiness();
  readiness.register({ name: 'storage', check: () => new Promise(() => undefined), needed: 'always' });
  expect(await readiness.report()).toEqual({ ready: false, checks: { storage: 'failed' } });
});

it('knows each name once', () => {
  const readiness = new Readiness();
  const check = { name: 'database', check: () => true, needed: 'always' } as const;
  readiness.register(check);
  expect(() => readiness.register(check)).toThrow('two readiness checks database');
});
