import { resolve } from 'node:path';

/** Git transports that `import_url` may name; `file` includes plain local paths. */
export const repositorySchemes = ['https', 'http', 'ssh', 'file'] as const;
export type RepositoryScheme = (typeof repositorySchemes)[number];

/** Where repositories may be (architecture.md §4). */
export interface RepositoryRules {
  schemes: RepositoryScheme[];
  /** Directories below which everybody may name a local repository, not administrators alone. Absolute. */
  roots: string[];
  /** Names and addresses that are allowed although they are private; `any` where the operator trusts the network. */
  privateHosts: string[] | 'any';
  loopback: boolean;
  /** Directories in which no repository may be, such as the data directory. Absolute. */
  forbiddenRoots: string[];
}

/** Everything that the pipeline service is told from outside. A class, so that Nest can inject it. */
export class PipelineServiceConfig {
  databaseUrl!: string;
  migrationDatabaseUrl?: string;
  amqpUrl!: string;
  /** Prefix of this installation's exchanges and queues. */
  namespace!: string;
  /** Absolute; everything in it can be made again. */
  cacheDir!: string;
  repositories!: RepositoryRules;
  sshKeyFile?: string;
  sshKnownHostsFile?: string;
  /** Seals the values of variables and the credentials of import URLs. */
  secretKey!: string;
  /** Without a slash at the end. */
  externalUrl!: string;
  logLevel!: string;
}

/** What the operator has to correct, all of it at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param faults one sentence each, naming the variable and never a secret's value */
  constructor(readonly faults: string[]) {
    super(`The pipeline service cannot start:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

/** Shorter keys are guesses; this is what `openssl rand -hex 16` prints. */
const secretKeyLength = 32;
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/**
 * Reads the environment of the pipeline service's process.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): PipelineServiceConfig {
  const faults: string[] = [];
  const given = (name: string): string | undefined => env[name]?.trim() || undefined;
  const list = (name: string): string[] =>
    (given(name) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  const url = (name: string, protocols: string[], required: boolean): string | undefined => {
    const value = given(name);
    if (value === undefined) {
      if (required) faults.push(`${name} is missing: give an address that begins with ${protocols[0]}//`);
      return undefined;
    }
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol))
      faults.push(`${name} is not an address that begins with ${protocols.map((name) => `${name}//`).join(' or ')}`);
    return value;
  };

  const schemes = given('REPOSITORY_SCHEMES') ? list('REPOSITORY_SCHEMES') : ['https', 'http', 'ssh'];
  for (const scheme of schemes)
    if (!(repositorySchemes as readonly string[]).includes(scheme))
      faults.push(`REPOSITORY_SCHEMES names ${JSON.stringify(scheme)}: it may name ${repositorySchemes.join(', ')}`);

  const secretKey = given('SECRET_KEY') ?? '';
  if (secretKey.length < secretKeyLength)
    faults.push(
      `SECRET_KEY ${secretKey ? 'is too short' : 'is missing'}: give at least ${secretKeyLength} random characters, the same in all services`,
    );

  const logLevel = given('LOG_LEVEL') ?? 'info';
  if (!logLevels.includes(logLevel)) faults.push(`LOG_LEVEL is not one of ${logLevels.join(', ')}`);

  const hosts = list('REPOSITORY_HOSTS');
  const config: PipelineServiceConfig = {
    databaseUrl: url('DATABASE_URL', ['postgres:', 'postgresql:'], true) ?? '',
    migrationDatabaseUrl: url('MIGRATION_DATABASE_URL', ['postgres:', 'postgresql:'], false),
    amqpUrl: url('AMQP_URL', ['amqp:', 'amqps:'], true) ?? '',
    namespace: given('NAMESPACE') ?? 'flagfall',
    cacheDir: resolve(given('CACHE_DIR') ?? './data/cache'),
    repositories: {
      schemes: schemes as RepositoryScheme[],
      roots: list('REPOSITORY_ROOTS').map((root) => resolve(root)),
      privateHosts: hosts.includes('*') ? 'any' : hosts,
      loopback: hosts.some((host) => host === 'localhost' || host === '127.0.0.1' || host === '::1'),
      forbiddenRoots: [resolve(given('CACHE_DIR') ?? './data/cache')],
    },
    sshKeyFile: given('SSH_KEY_FILE'),
    sshKnownHostsFile: given('SSH_KNOWN_HOSTS_FILE'),
    secretKey,
    externalUrl: (url('EXTERNAL_URL', ['http:', 'https:'], true) ?? '').replace(/\/+$/, ''),
    logLevel,
  };
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}
