import { ConfigError, readConfig } from './config.js';

function faults(args: string[], env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    readConfig(args, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test('flags go before the environment', () => {
  const env = { RUNNER_URL: 'http://a', RUNNER_TOKEN: 'glrt-env', RUNNER_CONCURRENCY: '3', RUNNER_NAME: '' };
  expect(readConfig(['--url', 'http://b', '--once', '--tags', 'linux'], env)).toEqual({
    url: 'http://b',
    token: 'glrt-env',
    buildsDir: 'data/builds',
    concurrency: 3,
    name: undefined,
    maxBuilds: 1,
    outputLimitBytes: 4 * 1024 * 1024,
    tags: 'linux',
  });
});

test('all faults are told at once', () => {
  const told = faults(['--url', 'ftp://x', '--concurrency', '0', '--max-builds', 'many', '--colour']);
  expect(told).toHaveLength(5);
  expect(told.join('\n')).toMatch(/--colour[^]*--url[^]*token is missing[^]*concurrency[^]*builds/);
});

test('an unreadable token file and a malformed token are told, without the token', () => {
  expect(faults(['--url', 'http://x', '--token-file', '/nowhere/token'])[0]).toContain('/nowhere/token');
  const [fault] = faults(['--url', 'http://x', '--token', 'secret token']);
  expect(fault).toContain('blanks');
  expect(fault).not.toContain('secret');
});

test('help needs nothing else', () => {
  expect(readConfig(['--help'], {})).toBeUndefined();
});
