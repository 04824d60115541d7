import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Environment } from '#libs/process';

/** Where to look, by the same variables as the services have. */
export interface DoctorConfig {
  /** Of a gateway. */
  gatewayUrl: string;
  /** Undefined where none is named and no embedded database runs. */
  databaseUrl?: string;
  /** Undefined where messages stay within one process. */
  amqpUrl?: string;
  namespace: string;
  /** Undefined where it is a bucket, or nothing says where it is. */
  storageDir?: string;
  /** Undefined where nothing says where it is. */
  cacheDir?: string;
  /** Whether repositories are reached by ssh. */
  ssh: boolean;
  sshKeyFile?: string;
  sshKnownHostsFile?: string;
}

/**
 * Reads the environment of the doctor, which is that of the process that it looks after.
 * @throws ConfigError with everything that is wrong
 */
export function readConfig(env: NodeJS.ProcessEnv): DoctorConfig {
  const environment = new Environment(env);
  const dataDir = resolve(environment.text('DATA_DIR') ?? './data');
  const cache = environment.text('CACHE_DIR') ?? keptIn(dataDir, 'cache');
  const schemes = environment.list('REPOSITORY_SCHEMES');
  const gateway = environment.url('FLAGFALL_URL', ['http:', 'https:']);
  const config: DoctorConfig = {
    gatewayUrl: (gateway ?? `http://127.0.0.1:${environment.whole('PORT', 8080, 1, 65_535)}`).replace(/\/+$/, ''),
    databaseUrl: environment.url('DATABASE_URL', ['postgres:', 'postgresql:']) ?? embeddedDatabase(dataDir),
    amqpUrl: environment.url('AMQP_URL', ['amqp:', 'amqps:']),
    namespace: environment.namespace(),
    storageDir: directoryOf(environment.text('STORAGE_URL') ?? keptIn(dataDir, 'storage')),
    cacheDir: cache && resolve(cache),
    ssh: schemes.length === 0 || schemes.includes('ssh'),
    sshKeyFile: environment.text('SSH_KEY_FILE'),
    sshKnownHostsFile: environment.text('SSH_KNOWN_HOSTS_FILE'),
  };
  environment.check('The doctor');
  return config;
}

/** In a container without a data directory, what no variable names is not kept there. */
function keptIn(dataDir: string, name: string): string | undefined {
  return existsSync(dataDir) ? join(dataDir, name) : undefined;
}

function directoryOf(storageUrl: string | undefined): string | undefined {
  if (storageUrl === undefined) return undefined;
  if (storageUrl.startsWith('file:///')) return fileURLToPath(storageUrl);
  return storageUrl.startsWith('s3://') ? undefined : resolve(storageUrl);
}

/** The socket that `npm start` listens on while it runs. */
function embeddedDatabase(dataDir: string): string | undefined {
  if (!existsSync(join(dataDir, '.s.PGSQL.5432'))) return undefined;
  return `postgres://postgres@localhost/postgres?host=${encodeURIComponent(dataDir)}`;
}
