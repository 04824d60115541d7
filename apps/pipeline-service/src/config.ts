import { resolve } from 'node:path';
import { Environment, type HealthAddress, logLevels, readHealthAddress } from '#libs/process';

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
  /** Where gateways of the installation reach the clones that this process serves; never an address that others reach. */
  cloneHost!: string;
  /** 0 for any free one. */
  clonePort!: number;
  /** Seals the values of variables and the credentials of import URLs. */
  secretKey!: string;
  /** Without a slash at the end. */
  externalUrl!: string;
  logLevel!: string;
  health?: HealthAddress;
}

/** Shorter keys are guesses; this is what `openssl rand -hex 16` prints. */
const secretKeyLength = 32;
const loopbackNames = ['localhost', '127.0.0.1', '::1'];

/**
 * Reads the environment of the pipeline service's process (architecture.md §4).
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): PipelineServiceConfig {
  const environment = new Environment(env);
  const cacheDir = resolve(environment.text('CACHE_DIR') ?? './data/cache');
  const hosts = environment.list('REPOSITORY_HOSTS');
  const config: PipelineServiceConfig = {
    databaseUrl: environment.requiredUrl('DATABASE_URL', ['postgres:', 'postgresql:']),
    migrationDatabaseUrl: environment.url('MIGRATION_DATABASE_URL', ['postgres:', 'postgresql:']),
    amqpUrl: environment.requiredUrl('AMQP_URL', ['amqp:', 'amqps:']),
    namespace: environment.namespace(),
    cacheDir,
    repositories: {
      schemes: readSchemes(environment),
      roots: environment.list('REPOSITORY_ROOTS').map((root) => resolve(root)),
      privateHosts: hosts.includes('*') ? 'any' : hosts,
      loopback: hosts.some((host) => loopbackNames.includes(host)),
      forbiddenRoots: [cacheDir],
    },
    sshKeyFile: environment.text('SSH_KEY_FILE'),
    sshKnownHostsFile: environment.text('SSH_KNOWN_HOSTS_FILE'),
    cloneHost: environment.text('CLONE_HOST') ?? '127.0.0.1',
    clonePort: environment.whole('CLONE_PORT', 0, 0, 65_535),
    secretKey: environment.secret('SECRET_KEY', secretKeyLength) ?? '',
    externalUrl: environment.requiredUrl('EXTERNAL_URL', ['http:', 'https:']).replace(/\/+$/, ''),
    logLevel: environment.oneOf('LOG_LEVEL', logLevels, 'info'),
    health: readHealthAddress(environment),
  };
  if (config.secretKey === '')
    environment.fault(
      `SECRET_KEY is missing: give at least ${secretKeyLength} random characters, the same in all services`,
    );
  environment.check('The pipeline service');
  return config;
}

function readSchemes(environment: Environment): RepositoryScheme[] {
  const given = environment.list('REPOSITORY_SCHEMES');
  const isScheme = (word: string): word is RepositoryScheme => (repositorySchemes as readonly string[]).includes(word);
  for (const word of given)
    if (!isScheme(word))
      environment.fault(
        `REPOSITORY_SCHEMES names ${JSON.stringify(word)}: it may name ${repositorySchemes.join(', ')}`,
      );
  return given.length > 0 ? given.filter(isScheme) : ['https', 'http', 'ssh'];
}
