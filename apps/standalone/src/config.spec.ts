import { ConfigError } from '#libs/process';
import { isLoopback, readConfig } from './config.js';

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({})).toEqual({
      dataDir: `${process.cwd()}/data`,
      host: '127.0.0.1',
      port: 8080,
      databaseUrl: undefined,
      migrationDatabaseUrl: undefined,
      amqpUrl: undefined,
      namespace: 'flagfall',
      rootToken: undefined,
      secretKey: undefined,
      runnerConcurrency: 2,
      demo: true,
      logLevel: 'warn',
    });
  });

  it('reads what is given, and takes empty for not given', () => {
    const config = readConfig({
      DATA_DIR: '/srv/flagfall',
      PORT: '0',
      DEMO: 'false',
      RUNNER_CONCURRENCY: '0',
      HOST: '',
    });
    expect(config).toMatchObject({
      dataDir: '/srv/flagfall',
      port: 0,
      demo: false,
      runnerConcurrency: 0,
      host: '127.0.0.1',
    });
  });

  it('lists everything that is wrong', () => {
    const read = () => readConfig({ PORT: '70000', DEMO: 'no', RUNNER_CONCURRENCY: '1.5', NAMESPACE: 'a b' });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(
      'Flagfall cannot start:\n- PORT is not a whole number from 0 to 65535\n- NAMESPACE may have letters, digits, _ and - only, 50 at most\n- RUNNER_CONCURRENCY is not a whole number from 0 to 256\n- DEMO is not one of true, false',
    );
  });
});

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s is', (host) => expect(isLoopback(host)).toBe(true));
  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com'])('%s is not', (host) =>
    expect(isLoopback(host)).toBe(false),
  );
});
