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
    command: 'run',
    url: 'http://b',
    token: 'glrt-env',
    keepTokenIn: undefined,
    buildsDir: 'data/builds',
    cacheDir: undefined,
    cacheLimitBytes: 10 * 1024 ** 3,
    unpackLimit: { bytes: 10 * 1024 ** 3, entries: 500_000 },
    docker: undefined,
    stopTimeoutMs: 10_000,
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

test('faults of the command and the executor are told as well', () => {
  const good = ['--url', 'http://x', '--token', 'glrt-x'];
  expect(faults(['walk', ...good])).toEqual(['the command must be one of run, register, unregister, not "walk"']);
  const told = faults([
    ...good,
    '--executor',
    'vm',
    '--docker-image=-v/:/host',
    '--docker-pull-policy',
    'always,often',
  ]);
  expect(told).toHaveLength(3);
  expect(told.join('\n')).toMatch(/shell or docker[^]*not the name of an image[^]*"often"/);
});

test('Docker has its image and policies', () => {
  const args = ['--url', 'http://x', '--token', 'glrt-x', '--executor', 'docker', '--docker-image', 'alpine:3.20'];
  const env = { RUNNER_DOCKER_PULL_POLICY: 'always, if-not-present' };
  expect(readConfig(args, env)?.docker).toEqual({ image: 'alpine:3.20', pullPolicy: ['always', 'if-not-present'] });
});

test('register writes a given token into a file, run reads one of both', () => {
  const both = ['--url', 'http://x', '--token', 'glrt-x', '--token-file', '/tmp/token'];
  expect(readConfig(['register', ...both], {})).toMatchObject({ command: 'register', keepTokenIn: '/tmp/token' });
  expect(faults(both)).toEqual(['give --token or --token-file, not both']);
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
