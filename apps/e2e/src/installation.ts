import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeServices } from '../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../libs/messaging/src/testing/until.js';
import { scratchDatabase } from '../../../libs/persistence/src/testing/scratch-database.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const services = ['token-service', 'pipeline-service', 'gateway'] as const;
export type ServiceName = (typeof services)[number];

const startLimitMs = 60_000;
const stopLimitMs = 20_000;
const loggedOnFailure = 4_000;

/** The three services as processes of their own, on a database and a namespace of the broker that nobody else uses. */
export interface Installation {
  /** Where the gateway is reached, without a slash at the end; also its EXTERNAL_URL. */
  readonly url: string;
  /** Access token of the first administrator. */
  readonly rootToken: string;
  readonly databaseUrl: string;
  /** A directory below which anybody may name repositories. */
  readonly repositories: string;
  /** Exists while the service runs. */
  process(service: ServiceName): ChildProcess | undefined;
  /** The end of what a service wrote to its log. */
  logOf(service: ServiceName): Promise<string>;
  /** Stops everything and leaves nothing behind. */
  stop(): Promise<void>;
}

export interface InstallationOptions {
  /** Part of the names of the database and the directory. */
  name: string;
  /** Further settings, named as in the environment (architecture.md §4). */
  environment?: Record<string, string>;
}

/**
 * Starts an installation from the compiled sources (`npm run build`), and resolves once everything answers.
 * @throws Error with the ends of the logs when a service does not start
 */
export async function startInstallation({ name, environment = {} }: InstallationOptions): Promise<Installation> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
  const scratch = await scratchDatabase(name);
  const namespace = `test-${name}-${randomBytes(4).toString('hex')}`;
  const rootToken = `glpat-${randomBytes(20).toString('hex')}`;
  const repositories = join(directory, 'repositories');
  await mkdir(repositories);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const settings: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: directory,
    DATABASE_URL: scratch.url,
    AMQP_URL: process.env['TEST_AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672',
    NAMESPACE: namespace,
    SECRET_KEY: randomBytes(32).toString('hex'),
    EXTERNAL_URL: url,
    HOST: '127.0.0.1',
    PORT: String(port),
    ROOT_TOKEN: rootToken,
    CACHE_DIR: join(directory, 'cache'),
    STORAGE_URL: join(directory, 'storage'),
    REPOSITORY_SCHEMES: 'file,http,https,ssh',
    REPOSITORY_ROOTS: repositories,
    REPOSITORY_HOSTS: 'localhost,127.0.0.1',
    ...environment,
  };
  const logFile = (service: ServiceName): string => join(directory, `${service}.log`);
  const processes = new Map<ServiceName, ChildProcess>();
  const logOf = async (service: ServiceName): Promise<string> =>
    (await readFile(logFile(service), 'utf8').catch(() => '')).slice(-loggedOnFailure);

  function start(service: ServiceName): void {
    const log = openSync(logFile(service), 'a');
    const program = join(root, 'dist/apps', service, 'src/main.js');
    const child = spawn(process.execPath, [program], { cwd: directory, env: settings, stdio: ['ignore', log, log] });
    closeSync(log);
    processes.set(service, child);
    child.once('exit', () => processes.delete(service));
  }

  async function stop(): Promise<void> {
    await Promise.all([...processes.values()].reverse().map(end));
    const logs = await Promise.all(services.map((service) => readFile(logFile(service), 'utf8').catch(() => '')));
    await removeServices(namespace, handledEvents(logs.join('\n')));
    await scratch.drop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    for (const service of services) start(service);
    await until(
      'all services to answer',
      async () => {
        if (processes.size < services.length) throw new Error('a service ended while it started');
        return (await answers(`${url}/-/readiness`)) && answers(`${url}/api/v4/application/settings`, rootToken);
      },
      startLimitMs,
    );
  } catch (error) {
    const logs = await Promise.all(services.map(async (service) => `--- ${service}\n${await logOf(service)}`));
    await stop();
    throw new Error(`The installation did not start: ${String(error)}\n${logs.join('\n')}`, { cause: error });
  }
  return {
    url,
    rootToken,
    databaseUrl: scratch.url,
    repositories,
    process: (service) => processes.get(service),
    logOf,
    stop,
  };
}

/** A port that was free a moment ago: the gateway's address must be known before it listens, since its links carry it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(url: string, token?: string): Promise<boolean> {
  const headers: Record<string, string> = token ? { 'PRIVATE-TOKEN': token } : {};
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(startLimitMs) }).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok ?? false;
}

/** In good order, and by force where that takes too long. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
  await ended;
  clearTimeout(force);
}

/** Services say in their logs which messages they handle; their queues are named after these. */
function handledEvents(logs: string): { service: string; type: string }[] {
  return [...logs.matchAll(/"msg":"([\w-]+) handles ([\w.-]+)/g)].map(([, service = '', type = '']) => ({
    service,
    type,
  }));
}
