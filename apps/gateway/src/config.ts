import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Environment, type HealthAddress, logLevels, readHealthAddress } from '#libs/process';
import type { TriggerLimits } from './rate-limits/trigger-rate-limits.js';
import { readStorageUrl } from './storage/storage-url.js';

/** Everything that the gateway is told from outside (architecture.md §4). A class, so that Nest can inject it. */
export class GatewayConfig {
  port!: number;
  host!: string;
  /** What callers and runners reach the gateway by; without a slash at the end. */
  externalUrl!: string;
  databaseUrl!: string;
  migrationDatabaseUrl?: string;
  amqpUrl!: string;
  /** Prefix of this installation's exchanges and queues. */
  namespace!: string;
  /** Where logs and artifacts are: a directory that all gateways share, as a path or a `file:` address, or a bucket, `s3://…`. */
  storageUrl!: string;
  /** Where the built pages are, or are not; they come with the code, so nobody is asked. */
  pagesDirectory!: string;
  /** How long a runner's request waits for a job, in milliseconds; 0 answers at once. */
  requestHoldMs!: number;
  /** A job whose log grows beyond so many bytes is ended. */
  jobLogLimit!: number;
  /** How long trigger requests that have their outcome are remembered. */
  triggerRequestDays!: number;
  /** The largest artifact that is stored, in bytes. */
  artifactLimit!: number;
  /** Access token of the first administrator, applied at every start. */
  rootToken?: string;
  /** `once`: trigger tokens are shown in full only when made; `retrievable`: their owners see them again, as in GitLab. */
  triggerTokens!: 'once' | 'retrievable';
  /** Seals retrievable trigger tokens; there when `triggerTokens` needs it. */
  secretKey?: string;
  /** Calls of the trigger endpoint a minute. */
  triggerLimits!: TriggerLimits;
  /** Tokens that are no good, from one address in a minute; 0 for any number. */
  failedTokenLimit!: number;
  /** What request bodies may take of the memory together, in bytes. */
  bodyMemory!: number;
  /** Proxies whose `X-Forwarded-For` is believed: addresses, networks, or `loopback`, `linklocal`, `uniquelocal`. */
  trustedProxies!: string[];
  logLevel!: string;
  /** Of a port for operators alone, beside that of callers. */
  health?: HealthAddress;
}

/** Shorter keys are guesses; this is what `openssl rand -hex 16` prints. */
const secretLength = 32;
const rootTokenLength = 20;
const longestHoldMs = 300_000;
/** Room for the largest body there may be, beside what is kept for small ones. */
const leastBodyMemoryMib = 128;
const largestBodyMemoryMib = 1_000_000;
const largestLogMib = 100_000;
const largestArtifactMib = 1_000_000;
/** What an integer column holds. */
const mostCalls = 2_147_483_647;
const postgres = ['postgres:', 'postgresql:'];

/**
 * Reads the environment of the gateway's process.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): GatewayConfig {
  const environment = new Environment(env);
  const host = environment.text('HOST') ?? '127.0.0.1';
  const port = environment.whole('PORT', 8080, 0, 65_535);
  const triggerTokens = environment.oneOf('TRIGGER_TOKENS', ['once', 'retrievable'], 'once');
  const secretKey = environment.secret('SECRET_KEY', secretLength);
  if (secretKey === undefined && triggerTokens === 'retrievable')
    environment.fault('SECRET_KEY is missing: TRIGGER_TOKENS=retrievable keeps trigger tokens encrypted under it');
  const storageUrl = environment.text('STORAGE_URL') ?? resolve(environment.text('DATA_DIR') ?? './data', 'storage');
  const storage = readStorageUrl(storageUrl);
  if ('fault' in storage) environment.fault(`STORAGE_URL ${storage.fault}`);
  const trustedProxies = environment.list('TRUSTED_PROXIES');
  if (!trustedProxies.every(isNetwork))
    environment.fault('TRUSTED_PROXIES has other things than addresses, networks, loopback, linklocal and uniquelocal');
  const externalUrl = environment.url('EXTERNAL_URL', ['http:', 'https:']) ?? `http://${printableHost(host)}:${port}`;
  const config: GatewayConfig = {
    port,
    host,
    externalUrl: externalUrl.replace(/\/+$/, ''),
    databaseUrl: environment.requiredUrl('DATABASE_URL', postgres),
    migrationDatabaseUrl: environment.url('MIGRATION_DATABASE_URL', postgres),
    amqpUrl: environment.requiredUrl('AMQP_URL', ['amqp:', 'amqps:']),
    namespace: environment.namespace(),
    storageUrl,
    pagesDirectory: fileURLToPath(new URL('../../../web', import.meta.url)),
    requestHoldMs: environment.whole('REQUEST_HOLD_MS', 50_000, 0, longestHoldMs),
    jobLogLimit: environment.whole('JOB_LOG_LIMIT_MIB', 100, 1, largestLogMib) * 1_048_576,
    triggerRequestDays: environment.whole('TRIGGER_REQUEST_DAYS', 30, 1, 3_650),
    artifactLimit: environment.whole('ARTIFACT_LIMIT_MIB', 4_096, 1, largestArtifactMib) * 1_048_576,
    rootToken: environment.secret('ROOT_TOKEN', rootTokenLength),
    triggerTokens,
    secretKey,
    triggerLimits: {
      perAddress: environment.whole('TRIGGER_LIMIT_PER_ADDRESS', 0, 0, mostCalls),
      perToken: environment.whole('TRIGGER_LIMIT_PER_TOKEN', 0, 0, mostCalls),
      perProject: environment.whole('TRIGGER_LIMIT_PER_PROJECT', 0, 0, mostCalls),
    },
    failedTokenLimit: environment.whole('FAILED_TOKEN_LIMIT_PER_ADDRESS', 300, 0, mostCalls),
    bodyMemory: environment.whole('BODY_MEMORY_MIB', 256, leastBodyMemoryMib, largestBodyMemoryMib) * 1_048_576,
    trustedProxies,
    logLevel: environment.oneOf('LOG_LEVEL', logLevels, 'info'),
    health: readHealthAddress(environment),
  };
  if (config.health?.port === port) environment.fault('HEALTH_PORT is the same as PORT: give another one, or none');
  environment.check('The gateway');
  return config;
}

/** As Fastify understands it. */
function isNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(bits ?? 0) <= (version === 4 ? 32 : 128);
}

/** The address that reaches a server which listens on `host`. */
function printableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
