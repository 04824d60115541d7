import { ConfigError } from '#libs/process';
import { readConfig } from './config.js';

const needed = { DATABASE_URL: 'postgres://db/flagfall', AMQP_URL: 'amqp://broker' };

it('needs only its servers', () => {
  expect(readConfig(needed)).toMatchObject({
    port: 8080,
    host: '127.0.0.1',
    externalUrl: 'http://127.0.0.1:8080',
    namespace: 'flagfall',
    storageUrl: expect.stringMatching(/\/data\/storage$/),
    triggerTokens: 'once',
    logLevel: 'info',
  });
});

it.each([
  [{ EXTERNAL_URL: 'https://ci.example.com/' }, { externalUrl: 'https://ci.example.com' }],
  [
    { HOST: '0.0.0.0', PORT: '9000' },
    { port: 9000, externalUrl: 'http://localhost:9000' },
  ],
  [{ HOST: '::1' }, { externalUrl: 'http://[::1]:8080' }],
  [{ STORAGE_URL: 'file:///logs', DATA_DIR: '/x' }, { storageUrl: 'file:///logs' }],
  [{ DATA_DIR: '/x' }, { storageUrl: '/x/storage' }],
  [{ NAMESPACE: ' ' }, { namespace: 'flagfall' }],
  [{ HEALTH_PORT: '8081' }, { health: { host: '127.0.0.1', port: 8081 } }],
  [{ BODY_MEMORY_MIB: '128' }, { bodyMemory: 134_217_728 }],
  [{ FAILED_TOKEN_LIMIT_PER_ADDRESS: '0' }, { failedTokenLimit: 0 }],
  [
    {},
    {
      failedTokenLimit: 300,
      bodyMemory: 268_435_456,
      triggerLimits: { perAddress: 0, perToken: 0, perProject: 0 },
      trustedProxies: [],
    },
  ],
  [
    { TRUSTED_PROXIES: 'loopback, 10.0.0.0/8,2001:db8::/32,192.0.2.1', TRIGGER_LIMIT_PER_TOKEN: '60' },
    {
      triggerLimits: { perAddress: 0, perToken: 60, perProject: 0 },
      trustedProxies: ['loopback', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    },
  ],
])('%j', (env, config) => expect(readConfig({ ...needed, ...env })).toMatchObject(config));

it('tells all faults at once, and no secrets', () => {
  const error = faultyReading({
    DATABASE_URL: 'mysql://user:secret@db',
    EXTERNAL_URL: 'ci.example.com',
    PORT: '80a',
    TRIGGER_TOKENS: 'twice',
    STORAGE_URL: 'http://bucket',
    SECRET_KEY: 'too-short-secret',
    ROOT_TOKEN: 'secret',
    NAMESPACE: 'a b',
    TRIGGER_LIMIT_PER_ADDRESS: '-1',
    TRUSTED_PROXIES: '10.0.0.0/33,proxy',
    LOG_LEVEL: 'loud',
  });
  expect(error.faults).toEqual([
    'PORT is not a whole number from 0 to 65535',
    'TRIGGER_TOKENS is not one of once, retrievable',
    'SECRET_KEY is too short: give at least 32 random characters',
    'STORAGE_URL is neither an absolute path nor an address that begins with file:/// or s3://',
    'TRUSTED_PROXIES has other things than addresses, networks, loopback, linklocal and uniquelocal',
    'EXTERNAL_URL is not an address that begins with http:// or https://',
    'DATABASE_URL is not an address that begins with postgres:// or postgresql://',
    'AMQP_URL is missing: give an address that begins with amqp://',
    'NAMESPACE may have letters, digits, _ and - only, 50 at most',
    'ROOT_TOKEN is too short: give at least 20 random characters',
    'TRIGGER_LIMIT_PER_ADDRESS is not a whole number from 0 to 2147483647',
    'LOG_LEVEL is not one of trace, debug, info, warn, error, fatal, silent',
  ]);
  expect(String(error)).not.toMatch(/user:secret|too-short-secret/);
});

function faultyReading(env: NodeJS.ProcessEnv): ConfigError {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('There should have been faults');
}

it('has two ports where it has a health port', () => {
  expect(() => readConfig({ ...needed, PORT: '8081', HEALTH_PORT: '8081' })).toThrow('HEALTH_PORT is the same as PORT');
});

it('keeps retrievable trigger tokens only under a key', () => {
  expect(() => readConfig({ ...needed, TRIGGER_TOKENS: 'retrievable' })).toThrow('SECRET_KEY is missing');
  const secretKey = 'k'.repeat(32);
  expect(readConfig({ ...needed, TRIGGER_TOKENS: 'retrievable', SECRET_KEY: secretKey })).toMatchObject({ secretKey });
});
