import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { messageProblems } from '#libs/contracts';
import {
  type Bus,
  InProcessBus,
  InProcessStrategy,
  type MessagingStrategy,
  RabbitBus,
  RabbitStrategy,
} from '#libs/messaging';
import { installationId, openDatabase, type Schema } from '#libs/persistence';
import { measureDatabase, measureMessages, Metrics, openHealthPort } from '#libs/process';
import { newSecret } from '../../gateway/src/access/secrets.js';
import { readConfig as readGatewayConfig } from '../../gateway/src/config.js';
import { createGatewayApp } from '../../gateway/src/gateway.module.js';
import { Readiness } from '../../gateway/src/health/readiness.js';
import { gatewaySchema } from '../../gateway/src/schema/index.js';
import { readConfig as readPipelineConfig } from '../../pipeline-service/src/config.js';
import { createPipelineService } from '../../pipeline-service/src/pipeline-service.module.js';
import { pipelinesSchema } from '../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../token-service/src/schema/index.js';
import { createTokenService } from '../../token-service/src/token-service.module.js';
import { BuiltInRunner, provideRunnerToken } from './built-in-runner.js';
import { isLoopback, type StandaloneConfig } from './config.js';
import type { DataDirectory } from './data-directory.js';
import { type Demo, demoRepository, provideDemo } from './demo.js';
import type { EmbeddedDatabase } from './embedded-database.js';
import { GatewayClient } from './gateway-client.js';
import { ParkedMessagesRepository, standaloneSchema } from './parked-messages.repository.js';

/** Everything in one process, up and ready. */
export interface Standalone {
  externalUrl: string;
  demo: Demo | undefined;
}

/** What must be closed, in the order in which it was opened; closing goes backwards. */
export type Closers = (() => Promise<unknown> | void)[];

const jobGraceMs = 10_000;
/** How long servers that were named may take to answer: somebody waits at a terminal. */
const reachableMs = 15_000;
const readyMs = 30_000;

/**
 * Starts database, services, HTTP and runner in this process, and provides what a fresh installation needs to be tried out.
 *
 * @param env what the services read for themselves; taken as given but for what this process decides
 * @param embedded the embedded database, on its way; undefined where `config` names a server
 * @param port checked to be free
 * @param closers gets what must be closed as soon as it is open, so that a start that fails halfway can be undone
 * @throws ConfigError and Error with a sentence for the operator
 */
export async function startStandalone(
  config: StandaloneConfig,
  env: NodeJS.ProcessEnv,
  embedded: Promise<EmbeddedDatabase> | undefined,
  port: number,
  data: DataDirectory,
  log: Logger,
  closers: Closers,
): Promise<Standalone> {
  const settings = serviceEnvironment(config, env, port, data);
  const gatewayConfig = readGatewayConfig(settings);
  const pipelineConfig = readPipelineConfig(settings);
  pipelineConfig.repositories.loopback ||= isLoopback(config.host);
  pipelineConfig.repositories.roots.push(demoRepository(data));
  pipelineConfig.repositories.forbiddenRoots.push(data.path);

  const metrics = new Metrics();
  const open = databases(config, await embedded, log, metrics, closers);
  const parked = new ParkedMessagesRepository(await open(standaloneSchema));
  const tokens = await open(tokensSchema);
  const pipelines = await open(pipelinesSchema);
  const ledger = await open(gatewaySchema);

  const { bus, strategy } = await transport(config, tokens, parked);
  closers.push(() => bus.close());
  const strategies = {
    tokens: strategy('token-service'),
    pipelines: strategy('pipeline-service'),
    gateway: strategy('gateway'),
  };

  const tokenService = await createTokenService({ database: tokens, bus, strategy: strategies.tokens, log, metrics });
  closers.push(() => tokenService.close());
  const pipelineService = await createPipelineService({
    config: pipelineConfig,
    database: pipelines,
    bus,
    strategy: strategies.pipelines,
    log,
    metrics,
  });
  closers.push(() => pipelineService.close());
  const gateway = await createGatewayApp({
    config: gatewayConfig,
    database: ledger,
    bus,
    strategy: strategies.gateway,
    log,
    metrics,
  });
  closers.push(() => gateway.close());
  let provided = false;
  const readiness = gateway.get(Readiness);
  readiness.register({ name: 'standalone', check: () => provided, needed: 'start' });
  for (const each of Object.values(strategies)) measureMessages(metrics, bus, each);
  if (gatewayConfig.health) {
    const health = await openHealthPort(gatewayConfig.health, () => readiness.report(), metrics);
    closers.push(() => health.close());
  }
  await gateway.listen(port, config.host);

  const url = `http://${reachable(config.host)}:${port}`;
  await servicesAnswer(url);
  const client = new GatewayClient(url, settings.ROOT_TOKEN);
  const demo = config.demo ? await provideDemo(data, client) : undefined;
  if (config.runnerConcurrency > 0) {
    const settings = {
      url,
      token: await provideRunnerToken(data, client),
      buildsDir: join(data.path, 'builds'),
      concurrency: config.runnerConcurrency,
      name: 'built-in',
    };
    const runner = new BuiltInRunner(settings, (line) => log.info(line));
    runner.start();
    closers.push(() => runner.stop(jobGraceMs));
  }
  provided = true;
  return { externalUrl: gatewayConfig.externalUrl, demo };
}

/** What the services read from their environment, completed by what this process knows better. */
function serviceEnvironment(config: StandaloneConfig, env: NodeJS.ProcessEnv, port: number, data: DataDirectory) {
  if (config.rootToken !== undefined && config.rootToken !== data.readSecret('root-token'))
    data.writeSecret('root-token', config.rootToken);
  return {
    ...env,
    PORT: String(port),
    // Which database and which bus is decided here and handed over open; the services only insist that there are some.
    DATABASE_URL: config.databaseUrl ?? 'postgres://embedded',
    AMQP_URL: config.amqpUrl ?? 'amqp://in-process',
    EXTERNAL_URL: env.EXTERNAL_URL || `http://${reachable(config.host)}:${port}`,
    STORAGE_URL: env.STORAGE_URL || join(data.path, 'storage'),
    CACHE_DIR: env.CACHE_DIR || join(data.path, 'cache'),
    ROOT_TOKEN: config.rootToken ?? data.secret('root-token', () => newSecret('glpat')),
    SECRET_KEY: config.secretKey ?? data.secret('secret-key', () => randomBytes(32).toString('hex')),
    REPOSITORY_SCHEMES: env.REPOSITORY_SCHEMES || (isLoopback(config.host) ? 'https,http,ssh,file' : 'https,http,ssh'),
  };
}

/** @returns opens one service's part of the database, bringing its schema up to date */
function databases(
  config: StandaloneConfig,
  embedded: EmbeddedDatabase | undefined,
  log: Logger,
  metrics: Metrics,
  closers: Closers,
) {
  embedded?.failed.catch((error: unknown) => {
    log.fatal({ err: error }, 'the embedded database is gone; what was accepted is safe, start again');
    process.exit(1);
  });
  return async (schema: Schema): Promise<DataSource> => {
    const database = await openDatabase(
      embedded
        ? // More connections would only queue: the embedded database serves one at a time.
          { url: embedded.url, embedded: true, poolSize: 4 }
        : { url: config.databaseUrl ?? '', migrationUrl: config.migrationDatabaseUrl },
      schema,
      log,
      reachableMs,
    );
    closers.push(() => database.destroy());
    measureDatabase(metrics, database, schema.name);
    return database;
  };
}

async function transport(
  config: StandaloneConfig,
  database: DataSource,
  parked: ParkedMessagesRepository,
): Promise<{ bus: Bus; strategy: (service: string) => MessagingStrategy }> {
  if (config.amqpUrl === undefined) {
    const bus = new InProcessBus({ validate: messageProblems, parked });
    return { bus, strategy: (service) => new InProcessStrategy({ bus, service }) };
  }
  const bus = new RabbitBus({
    url: config.amqpUrl,
    namespace: config.namespace,
    installation: await installationId(database),
    validate: messageProblems,
    name: 'standalone',
  });
  return { bus, strategy: (service) => new RabbitStrategy({ bus, service }) };
}

/** Waits until the first administrator is there, which takes a database, a bus and a token service that work. */
async function servicesAnswer(url: string): Promise<void> {
  const deadline = Date.now() + readyMs;
  let checks: Record<string, string> = {};
  while (Date.now() < deadline) {
    const response = await fetch(`${url}/-/readiness`, { signal: AbortSignal.timeout(readyMs) });
    ({ checks } = (await response.json()) as { checks: Record<string, string> });
    if (checks.services === 'ok') return;
    await delay(20);
  }
  throw new Error(`The services did not come up within ${readyMs / 1000} s: ${JSON.stringify(checks)}`);
}

/** The host under which this machine reaches a server that listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
