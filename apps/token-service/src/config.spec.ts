import { ConfigError } from '#libs/process';
import { readConfig } from './config.js';

test('what is needed, with the defaults for the rest', () => {
  expect(readConfig({ DATABASE_URL: 'postgres://db/flagfall', AMQP_URL: 'amqp://broker' })).toEqual({
    databaseUrl: 'postgres://db/flagfall',
    migrationDatabaseUrl: undefined,
    amqpUrl: 'amqp://broker',
    namespace: 'flagfall',
    logLevel: 'info',
  });
});

test('all faults are listed together, without the values', () => {
  const env = { MIGRATION_DATABASE_URL: 'mysql://me:pass@db', AMQP_URL: 'x', NAMESPACE: 'a.b', LOG_LEVEL: 'loud' };
  let error: unknown;
  try {
    readConfig(env);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).faults.map((fault) => fault.split(' ')[0])).toEqual([
    'DATABASE_URL',
    'MIGRATION_DATABASE_URL',
    'AMQP_URL',
    'NAMESPACE',
    'LOG_LEVEL',
  ]);
  expect(String(error)).not.toContain('pass');
});
