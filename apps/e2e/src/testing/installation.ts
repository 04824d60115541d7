import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AMQP_URL, newNamespace, removeServices } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { ApiContract } from './api-contract.js';
import { must } from './api.js';
import { Cable } from './cable.js';
import { Door } from './door.js';
import { freePorts } from './free-port.js';
import { type OwnBroker, type OwnServer, ownPostgresql, ownRabbitmq } from './own-servers.js';
import { Program } from './program.js';

/** The repository's top directory, where `npm run build` has put the programs. */
export const root = fileURLToPath(new URL('../../../..', import.meta.url));

type AppName = 'token-service' | 'pipeline-service' | 'gateway' | 'runner' | 'standalone';

const startLimitMs = 90_000;
const callLimitMs = 5_000;

export interface InstallationOptions {
  /** Part of the names of the database and the directory. */
  name: string;
  /** Everything in one process, with the embedded database and messages within the process, as `npm start` has it. */
  standalone?: boolean;
  /** Replicas; one each unless given. */
  gateways?: number;
  pipelineServices?: number;
  tokenServices?: number;
  /** A PostgreSQL and a RabbitMQ that only this installation uses, in place of those that all tests share: to be killed and frozen. */
  ownServers?: boolean;
  /** Services reach those servers by way of cables, which a test may cut. */
  cables?: boolean;
  /** Every service also opens its health port. */
  healthPorts?: boolean;
  /** Further settings, named as in the environment (architecture.md §4). */
  environment?: Record<string, string>;
  /** More of them for one gateway, in the order of the gateways. */
  gatewayEnvironments?: Record<string, string>[];
  /** More of them for one program, by the name that it has in the log: `gateway`, `gateway 2`, `runner`. */
  environmentOf?: (program: string) => Record<string, string>;
}

export interface RunnerSettings {
  /** Jobs at once. */
  concurrency?: number;
  /** Further settings, named as in its environment. */
  environment?: Record<string, string>;
}

/**
 * Flagfall as processes of their own, on a database and a namespace of the broker that nobody else uses. Callers reach each gateway by a
 * door, at which every answer is held against the OpenAPI document.
 */
export interface Installation {
  /** Where the first gateway is reached, without a slash at the end; also everybody's EXTERNAL_URL. */
  readonly url: string;
  /** One for each replica. */
  readonly urls: readonly string[];
  /** Where the gateways themselves listen, behind their doors: for what is of one connection only. */
  readonly ports: readonly number[];
  /** Where each service tells how it is, by its program's name, if it has a port for that. */
  readonly healthUrls: Readonly<Record<string, string>>;
  /** Access token of the first administrator. */
  readonly rootToken: string;
  /** A directory of this installation's own, below which its files are. */
  readonly directory: string;
  /** A directory below which anybody may name repositories. */
  readonly repositories: string;
  /** Of the services; a standalone one has it to itself. */
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  readonly namespace: string;
  /** In a standalone installation there is one program, which is all of these. */
  readonly gateways: readonly Program[];
  readonly pipelineServices: readonly Program[];
  /** The first one. */
  readonly tokenService: Program;
  readonly tokenServices: readonly Program[];
  /** Its own servers, if it has any. */
  readonly database: OwnServer | undefined;
  readonly broker: OwnBroker | undefined;
  /** From all services to its own servers, if there are any. */
  readonly databaseCable: Cable | undefined;
  readonly brokerCable: Cable | undefined;
  /** Everything that was started, servers and runners too. */
  readonly programs: readonly Program[];
  /** What the gateways have answered against their description, since this was last asked. */
  takeFaults(): string[];
  /** Starts a runner for all projects, as a process of its own. */
  startRunner(settings?: RunnerSettings): Promise<Program>;
  /** Stops everything and leaves nothing behind. */
  stop(): Promise<void>;
}

/**
 * Starts an installation from the compiled sources, and resolves once everything answers.
 * @throws Error with the ends of the logs when a service does not start
 */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const { name, standalone = false, ownServers = false, environment = {} } = options;
  const directory = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
  const [database, broker] = ownServers ? await Promise.all([ownPostgresql(), ownRabbitmq()]) : [];
  const scratch = ownServers || standalone ? undefined : await scratchDatabase(name);
  const databaseUrl = database?.url ?? scratch?.url ?? '';
  const amqpUrl = broker?.url ?? AMQP_URL;
  const cables = options.cables ? await Promise.all([Cable.to(databaseUrl), Cable.to(amqpUrl)]) : [];
  const [databaseCable, brokerCable] = cables;
  const namespace = newNamespace(name);
  const rootToken = `glpat-${randomBytes(20).toString('hex')}`;
  const repositories = join(directory, 'repositories');
  await mkdir(repositories);
  const ports = await freePorts(options.gateways ?? 1);
  const replicas = ports.length + (options.pipelineServices ?? 1) + (options.tokenServices ?? 1);
  const healthPorts = await freePorts(options.healthPorts ? replicas : 0);
  const healthUrls: Record<string, string> = {};
  const doors = await Promise.all(ports.map((port) => Door.open(port)));
  const urls = doors.map((door) => door.url);
  const url = urls[0] ?? '';
  const settings: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: directory,
    // From Node 22 on, the next start need not compile a thousand modules again.
    NODE_COMPILE_CACHE: join(root, 'dist/.compile-cache'),
    ...(standalone
      ? { DATA_DIR: join(directory, 'data'), DEMO: 'false', RUNNER_CONCURRENCY: '0', LOG_LEVEL: 'info' }
      : {
          DATABASE_URL: databaseCable?.url ?? databaseUrl,
          AMQP_URL: brokerCable?.url ?? amqpUrl,
          NAMESPACE: namespace,
        }),
    SECRET_KEY: randomBytes(32).toString('hex'),
    EXTERNAL_URL: url,
    HOST: '127.0.0.1',
    ROOT_TOKEN: rootToken,
    CACHE_DIR: join(directory, 'cache'),
    STORAGE_URL: join(directory, 'storage'),
    REPOSITORY_SCHEMES: 'file,http,https,ssh',
    REPOSITORY_ROOTS: repositories,
    REPOSITORY_HOSTS: 'localhost,127.0.0.1',
    // All callers of a test have one address, and many are refused on purpose.
    FAILED_TOKEN_LIMIT_PER_ADDRESS: '0',
    ...environment,
  };
  /** Those that are ours to end; servers end after them. */
  const programs: Program[] = [];
  const servers = [database, broker].flatMap((server) => server ?? []);
  const faults: string[] = [];

  function program(app: AppName, ready: RegExp, more: NodeJS.ProcessEnv = {}, replica = 1): Program {
    const itsName = replica === 1 ? app : `${app} ${replica}`;
    const healthPort = app === 'runner' ? undefined : healthPorts.pop();
    if (healthPort !== undefined) healthUrls[itsName] = `http://127.0.0.1:${healthPort}`;
    const health = healthPort === undefined ? {} : { HEALTH_PORT: String(healthPort) };
    const made = new Program({
      name: itsName,
      command: process.execPath,
      args: [join(root, 'dist/apps', app, 'src/main.js')],
      env: { ...settings, ...health, ...options.environmentOf?.(itsName), ...more },
      cwd: directory,
      ready,
      startMs: startLimitMs,
    });
    programs.push(made);
    return made;
  }

  const gateway = (port: number, index: number): Program =>
    program(
      standalone ? 'standalone' : 'gateway',
      standalone ? /Ctrl-C stops it/ : /gateway is ready/,
      { PORT: String(port), ...options.gatewayEnvironments?.[index] },
      index + 1,
    );
  const pipelineService = (index: number): Program =>
    program(
      'pipeline-service',
      /pipeline-service is ready/,
      // The mirrors belong to one process.
      index === 0 ? {} : { CACHE_DIR: join(directory, `cache-${index + 1}`) },
      index + 1,
    );
  const gateways = ports.map(gateway);
  const pipelineServices = standalone
    ? gateways
    : Array.from({ length: options.pipelineServices ?? 1 }, (_, index) => pipelineService(index));
  const tokenServices = standalone
    ? gateways
    : Array.from({ length: options.tokenServices ?? 1 }, (_, index) =>
        program('token-service', /token-service is ready/, {}, index + 1),
      );

  async function startRunner({ concurrency = 2, environment: more = {} }: RunnerSettings = {}): Promise<Program> {
    const json = { runner_type: 'instance_type', description: 'for a test' };
    const { token } = await must(url, { method: 'POST', path: '/user/runners', token: rootToken, json });
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
    for (const each of [...programs, ...servers.map((server) => server.program)]) each.thaw();
    for (const cable of cables) cable.mend();
    // Runners first: they report to the gateways, which ask the services.
    await Promise.all(programs.filter(({ name: app }) => app.startsWith('runner')).map((each) => each.end('SIGTERM')));
    const ends = await Promise.allSettled(programs.map((each) => each.end('SIGTERM')));
    const events = handledEvents(programs.map(({ output }) => output).join('\n'));
    await Promise.all([
      ...doors.map((door) => door.close()),
      ...cables.map((cable) => cable.close()),
      ...servers.map((server) => server.remove()),
      standalone || ownServers ? undefined : removeServices(namespace, events),
      scratch?.drop(),
      rm(directory, { recursive: true, force: true, maxRetries: 5 }),
    ]);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  try {
    await Promise.all(programs.map((each) => each.start()));
    await until(
      'all services to answer',
      async () => {
        for (const each of urls) if (!(await answers(`${each}/-/readiness`))) return false;
        return answers(`${url}/api/v4/application/settings`, rootToken);
      },
      startLimitMs,
    );
    const contract = await ApiContract.of(url);
    for (const door of doors)
      door.onExchange = (exchange) => {
        const fault = contract.fault(exchange);
        if (fault !== undefined) faults.push(fault);
      };
  } catch (error) {
    const logs = programs.map((each) => `--- ${each.name}\n${each.lastLines}`);
    await stop().catch(() => undefined);
    throw new Error(`The installation did not start: ${String(error)}\n${logs.join('\n')}`, { cause: error });
  }
  return {
    url,
    urls,
    ports,
    healthUrls,
    rootToken,
    directory,
    repositories,
    databaseUrl,
    amqpUrl,
    namespace,
    gateways,
    pipelineServices,
    tokenService: tokenServices[0]!,
    tokenServices,
    database,
    broker,
    databaseCable,
    brokerCable,
    get programs() {
      return [...programs, ...servers.map((server) => server.program)];
    },
    takeFaults: () => faults.splice(0),
    startRunner,
    stop,
  };
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
