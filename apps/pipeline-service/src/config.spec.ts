import { ConfigError } from '#libs/process';
import { readConfig } from './config.js';

const complete = {
  DATABASE_URL: 'postgres://flagfall@db/flagfall',
  AMQP_URL: 'amqp://broker',
  SECRET_KEY: '0123456789abcdef0123456789abcdef',
  EXTERNAL_URL: 'https://ci.example.com/',
};

describe('readConfig', () => {
  it('needs little and takes the rest as architecture.md §4 says', () => {
    expect(readConfig(complete)).toMatchObject({
      namespace: 'flagfall',
      externalUrl: 'https://ci.example.com',
      logLevel: 'info',
      repositories: { schemes: ['https', 'http', 'ssh'], roots: [], privateHosts: [], loopback: false },
    });
  });

  it('never lets repositories lie among the mirrors', () => {
    const { cacheDir, repositories } = readConfig({ ...complete, CACHE_DIR: '/var/cache/flagfall' });
    expect([cacheDir, repositories.forbiddenRoots]).toEqual(['/var/cache/flagfall', ['/var/cache/flagfall']]);
  });

  it.each([
    ['10.0.0.0/8, git.internal', { privateHosts: ['10.0.0.0/8', 'git.internal'], loopback: false }],
    ['localhost', { privateHosts: ['localhost'], loopback: true }],
    ['*', { privateHosts: 'any', loopback: false }],
  ])('reads REPOSITORY_HOSTS=%s', (hosts, expected) => {
    expect(readConfig({ ...complete, REPOSITORY_HOSTS: hosts }).repositories).toMatchObject(expected);
  });

  it('tells of all faults at once, and of no secret', () => {
    const faulty = {
      DATABASE_URL: 'mysql://x',
      SECRET_KEY: 'hunter2',
      REPOSITORY_SCHEMES: 'https,ftp',
      LOG_LEVEL: 'loud',
      NAMESPACE: 'a b',
    };
    const error = [() => readConfig(faulty)].map((read) => {
      try {
        return read();
      } catch (thrown) {
        return thrown;
      }
    })[0] as ConfigError;
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.faults).toHaveLength(7);
    expect(error.message).not.toContain('hunter2');
  });
});
