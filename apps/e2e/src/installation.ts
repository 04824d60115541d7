import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AMQP_URL, removeServices } from '../../../libs/messaging/src/testing/broker.js';
import { scratchDatabase } from '../../../libs/persistence/src/testing/scratch-database.js';
import { eventually } from './testing/eventually.js';
import { freePorts } from './testing/free-port.js';
import { Program } from './testing/program.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
type AppName = 'token-service' | 'pipeline-service' | 'gateway' | 'runner';

const startLimitMs = 60_000;
const callLimitMs = 5_000;

/** What a user needs to know of an installation. */
export interface Site {
  /** Where the gateway is reached, without a slash at the end; also its EXTERNAL_URL. */
  readonly url: string;
  /** Access token of the first administrator. */
  readonly rootToken: string;
  /** A directory below which anybody may name repositories. */
  readonly repositories: string;
}

/** The three services as processes of their own, on a database and a namespace of the broker that nobody else uses. */
export interface Installation extends Site {
  readonly databaseUrl: string;
  /** Prefix of its exchanges and queues. */
  readonly namespace: string;
  /** One for each replica; the first is `url`. */
  readonly urls: string[];
  readonly gateways: Program[];
  readonly pipelineServices: Program[];
  readonly tokenService: Program;
  /** Everything that was started, runners too. */
  readonly programs: readonly Program[];
  /** Starts a runner for all projects, as a process of its own. */
  startRunner(options?: RunnerSettings): Promise<Program>;
  /** Stops everything and leaves nothing behind. */
  stop(): Promise<void>;
}

export interface RunnerSettings {
  /** Jobs at once. */
  concurrency?: number;
  /** Further settings, named as in its environment. */
  environment?: Record<string, string>;
}

export interface InstallationOptions {
  /** Part of the names of the database and the directory. */
  name: string;
  /** Replicas; one each unless given. */
  gateways?: number;
  pipelineServices?: number;
  /** Servers that only this installation uses, in place of those that all tests share. */
  servers?: { databaseUrl?: string; amqpUrl?: string };
  /** Further settings, named as in the environment (architecture.md §4). */
  environment?: Record<string, string>;
}

/**
 * Starts an installation from the compiled sources (`npm run build`), and resolves once everything answers.
 * @throws Error with the ends of the logs when a service does not start
 */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { name, servers = {}, environment = {} } = options;
  const directory = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
  const scratch = servers.databaseUrl === undefined ? await scratchDatabase(name) : undefined;
  const databaseUrl = servers.databaseUrl ?? scratch?.url ?? '';
  const namespace = `test-${name}-${randomBytes(4).toString('hex')}`;
  const rootToken = `glpat-${randomBytes(20).toString('hex')}`;
  const repositories = join(directory, 'repositories');
  await mkdir(repositories);
  const ports = await freePorts(options.gateways ?? 1);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const url = urls[0] ?? '';
  const settings: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: directory,
    DATABASE_URL: databaseUrl,
    AMQP_URL: servers.amqpUrl ?? AMQP_URL,
    NAMESPACE: namespace,
    SECRET_KEY: randomBytes(32).toString('hex'),
    EXTERNAL_URL: url,
    HOST: '127.0.0.1',
    ROOT_TOKEN: rootToken,
    CACHE_DIR: join(directory, 'cache'),
    STORAGE_URL: join(directory, 'storage'),
    REPOSITORY_SCHEMES: 'file,http,https,ssh',
    REPOSITORY_ROOTS: repositories,
    REPOSITORY_HOSTS: 'localhost,127.0.0.1',
    ...environment,
  };
  const programs: Program[] = [];

  function program(app: AppName, ready: RegExp, more: NodeJS.ProcessEnv = {}, replica = 1): Program {
    const made = new Program({
      name: replica === 1 ? app : `${app} ${replica}`,
      command: process.execPath,
      args: [join(root, 'dist/apps', app, 'src/main.js')],
      env: { ...settings, ...more },
      cwd: directory,
      ready,
      startMs: startLimitMs,
    });
    programs.push(made);
    return made;
  }

  const tokenService = program('token-service', /token-service is ready/);
  const pipelineServices = Array.from({ length: options.pipelineServices ?? 1 }, (_, index) =>
    program(
      'pipeline-service',
      /pipeline-service is ready/,
      // The mirrors belong to one process.
      index === 0 ? {} : { CACHE_DIR: join(directory, `cache-${index + 1}`) },
      index + 1,
    ),
  );
  const gateways = ports.map((port, index) =>
    program('gateway', /gateway is ready/, { PORT: String(port) }, index + 1),
  );

  async function startRunner({ concurrency = 2, environment: more = {} }: RunnerSettings = {}): Promise<Program> {
    const token = await newRunnerToken(url, rootToken);
    const number = programs.filter(({ name: other }) => other.startsWith('runner')).length + 1;
    const runner = program(
      'runner',
      /takes jobs from/,
      {
        RUNNER_URL: url,
        RUNNER_TOKEN: token,
        RUNNER_CONCURRENCY: String(concurrency),
        RUNNER_BUILDS_DIR: join(directory, `builds-${number}`),
        ...more,
      },
      number,
    );
    await runner.start();
    return runner;
  }

  async function stop(): Promise<void> {
    // Runners first: they report to the gateways, which ask the services.
    for (const program of [...programs].reverse()) program.thaw();
    await Promise.all(programs.filter(({ name }) => name.startsWith('runner')).map((runner) => runner.end('SIGTERM')));
    const ends = await Promise.allSettled(programs.map((program) => program.end('SIGTERM')));
    if (servers.amqpUrl === undefined)
      await removeServices(namespace, handledEvents(programs.map(({ output }) => output).join('\n')));
    await scratch?.drop();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  try {
    await Promise.all(programs.map((service) => service.start()));
    await eventually(
      'all services to answer',
      async () => {
        for (const each of urls) if (!(await answers(`${each}/-/readiness`))) return false;
        return answers(`${url}/api/v4/application/settings`, rootToken);
      },
      startLimitMs,
    );
  } catch (error) {
    const logs = programs.map((each) => `--- ${each.name}\n${each.lastLines}`);
    await stop().catch(() => undefined);
    throw new Error(`The installation did not start: ${String(error)}\n${logs.join('\n')}`, { cause: error });
  }
  return {
    url,
    urls,
    rootToken,
    databaseUrl,
    namespace,
    repositories,
    gateways,
    pipelineServices,
    tokenService,
    programs,
    startRunner,
    stop,
  };
}

/** As an administrator makes one. */
async function newRunnerToken(url: string, rootToken: string): Promise<string> {
  const answer = await fetch(`${url}/api/v4/user/runners`, {
    method: 'POST',
    headers: { 'PRIVATE-TOKEN': rootToken, 'Content-Type': 'application/json' },
    body: JSON.stringify({ runner_type: 'instance_type', description: 'for a test' }),
  });
  const { token } = (await answer.json()) as { token?: string };
  if (token === undefined) throw new Error(`No runner could be made: ${answer.status}`);
  return token;
}

async function answers(url: string, token?: string): Promise<boolean> {
  const headers: Record<string, string> = token ? { 'PRIVATE-TOKEN': token } : {};
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(callLimitMs) }).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok ?? false;
}

/** Services say in their logs which messages they handle; their queues are named after these. */
function handledEvents(logs: string): { service: string; type: string }[] {
  return [...logs.matchAll(/"msg":"([\w-]+) handles ([\w.-]+)/g)].map(([, service = '', type = '']) => ({
    service,
    type,
  }));
}
