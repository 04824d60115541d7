import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { pino } from 'pino';
import { messageProblems } from '#libs/contracts';
import {
  type Bus,
  InProcessBus,
  InProcessStrategy,
  type MessagingStrategy,
  RabbitBus,
  RabbitStrategy,
} from '#libs/messaging';
import { openDatabase, type Schema } from '#libs/persistence';
import { MemoryParkedStore } from '../../../../libs/messaging/src/testing/memory-parked-store.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { GatewayConfig } from '../../../gateway/src/config.js';
import { createGatewayApp } from '../../../gateway/src/gateway.module.js';
import { gatewaySchema } from '../../../gateway/src/schema/index.js';
import { PipelineServiceConfig } from '../../../pipeline-service/src/config.js';
import { createPipelineService } from '../../../pipeline-service/src/pipeline-service.module.js';
import { pipelinesSchema } from '../../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../../token-service/src/schema/index.js';
import { createTokenService } from '../../../token-service/src/token-service.module.js';

export type Transport = 'in process' | 'RabbitMQ';

/** Gateway, token service and pipeline service together, on one database of their own and the transport of the test's choice. */
export interface Installation {
  /** Where the gateway listens, without a slash at the end. */
  readonly url: string;
  /** Access token of the first administrator. */
  readonly rootToken: string;
  /** A directory below which anybody may name repositories. */
  readonly repositories: string;
  stop(): Promise<void>;
}

export const externalUrl = 'https://ci.example.com';
const secretKey = 'a key that only these tests have';

/** Starts everything, and resolves once the first administrator can sign in. */
export async function startInstallation(name: string, transport: Transport): Promise<Installation> {
  const log = pino({ level: 'silent' });
  const rootToken = `glpat-${randomBytes(20).toString('hex')}`;
  const directory = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
  const scratch = await scratchDatabase(name);
  const messages = transport === 'RabbitMQ' ? onRabbit() : inProcess();
  const undo: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true }),
    () => scratch.drop(),
    () => messages.remove(),
  ];
  const open = async (schema: Schema) => {
    const database = await openDatabase({ url: scratch.url }, schema, log);
    undo.push(() => database.destroy());
    return database;
  };
  const part = async (service: string) => {
    const bus = await messages.newBus(service);
    return { bus, strategy: messages.newStrategy(bus, service), log };
  };
  const stop = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const tokens = await createTokenService({ database: await open(tokensSchema), ...(await part('token-service')) });
    undo.push(() => tokens.close());
    const pipelines = await createPipelineService({
      config: pipelineServiceConfig(directory),
      database: await open(pipelinesSchema),
      ...(await part('pipeline-service')),
    });
    undo.push(() => pipelines.close());
    const gateway = await createGatewayApp({
      config: gatewayConfig(directory, rootToken),
      database: await open(gatewaySchema),
      ...(await part('gateway')),
    });
    undo.push(() => gateway.close());
    await gateway.listen(0, '127.0.0.1');
    const url = `http://127.0.0.1:${(gateway.getHttpServer().address() as AddressInfo).port}`;
    await until('the first administrator to be there', async () => {
      const answer = await fetch(`${url}/api/v4/user`, { headers: { 'PRIVATE-TOKEN': rootToken } });
      return answer.status === 200;
    });
    return { url, rootToken, repositories: join(directory, 'repositories'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function pipelineServiceConfig(directory: string): PipelineServiceConfig {
  return Object.assign(new PipelineServiceConfig(), {
    cacheDir: join(directory, 'cache'),
    repositories: {
      schemes: ['https', 'http', 'ssh', 'file'],
      roots: [join(directory, 'repositories')],
      privateHosts: [],
      loopback: true,
      forbiddenRoots: [join(directory, 'cache')],
    },
    secretKey,
    externalUrl,
  } satisfies Partial<PipelineServiceConfig>);
}

function gatewayConfig(directory: string, rootToken: string): GatewayConfig {
  return Object.assign(new GatewayConfig(), {
    port: 0,
    host: '127.0.0.1',
    externalUrl,
    storageUrl: join(directory, 'storage'),
    rootToken,
    triggerTokens: 'once',
    secretKey,
    logLevel: 'silent',
  } satisfies Partial<GatewayConfig>);
}

interface Messages {
  newBus(service: string): Promise<Bus>;
  newStrategy(bus: Bus, service: string): MessagingStrategy;
  /** Closes the buses and takes away what they left on the broker. */
  remove(): Promise<void>;
}

function inProcess(): Messages {
  const bus = new InProcessBus({ validate: messageProblems, parked: new MemoryParkedStore() });
  return {
    newBus: async () => bus,
    newStrategy: (_bus, service) => new InProcessStrategy({ bus, service }),
    remove: () => bus.close(),
  };
}

/** Each service has connections of its own, as a process would. */
function onRabbit(): Messages {
  const url = process.env.TEST_AMQP_URL ?? 'amqp://127.0.0.1:5672';
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  const buses: RabbitBus[] = [];
  const strategies: RabbitStrategy[] = [];
  return {
    async newBus(name) {
      const bus = new RabbitBus({ url, namespace, installation: namespace, validate: messageProblems, name });
      buses.push(bus);
      await new Promise<void>((resolve) => bus.onConnected(resolve));
      return bus;
    },
    newStrategy(bus, service) {
      const strategy = new RabbitStrategy({ bus: bus as RabbitBus, service });
      strategies.push(strategy);
      return strategy;
    },
    async remove() {
      await Promise.all(buses.map((bus) => bus.close()));
      const model = await connect(url, { noDelay: true });
      const channel = await model.createChannel();
      for (const queue of strategies.flatMap(({ queues }) => queues)) await channel.deleteQueue(queue);
      for (const exchange of Object.values(buses[0]?.exchanges ?? {})) await channel.deleteExchange(exchange);
      await model.close();
    },
  };
}
