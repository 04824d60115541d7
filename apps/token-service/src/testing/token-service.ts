import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { message, messageProblems, type Request, type RequestClass } from '#libs/contracts';
import { type Bus, InProcessBus, InProcessStrategy, RabbitBus, RabbitStrategy } from '#libs/messaging';
import { openDatabase } from '#libs/persistence';
import { Metrics } from '#libs/process';
import { AMQP_URL, newNamespace } from '../../../../libs/messaging/src/testing/broker.js';
import { removeAll } from '../../../../libs/messaging/src/testing/installation.js';
import { MemoryParkedStore } from '../../../../libs/messaging/src/testing/memory-parked-store.js';
import { scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { tokensSchema } from '../schema/index.js';
import { createTokenService } from '../token-service.module.js';

type ReplyOf<Asked> = Asked extends Request<infer Reply> ? Reply : never;

/** The token service on a database of its own, and whoever asks it. */
export interface RunningTokenService {
  database: DataSource;
  databaseUrl: string;
  bus: Bus;
  ask<Asked extends Request<unknown>>(
    type: RequestClass<ReplyOf<Asked>> & (new () => Asked),
    fields: Omit<Asked, 'replyType'>,
  ): Promise<ReplyOf<Asked>>;
  /** Says an event as another service would, and waits until it was handled (in process) or confirmed (RabbitMQ). */
  say<Fields extends object>(type: { type: string; new (): Fields }, ...facts: Fields[]): Promise<void>;
  stop(): Promise<void>;
}

/** @param transport which of the two carries the messages */
export async function startTokenService(transport: 'in process' | 'RabbitMQ'): Promise<RunningTokenService> {
  const log = pino({ level: 'silent' });
  const scratch = await scratchDatabase('token_service');
  const database = await openDatabase({ url: scratch.url }, tokensSchema, log);
  const { bus, strategy, remove } = transport === 'RabbitMQ' ? await onRabbit() : inProcess();
  const service = await createTokenService({ database, bus, strategy, log, metrics: new Metrics() });
  return {
    database,
    databaseUrl: scratch.url,
    bus,
    ask: (type, fields) => bus.request(type.pattern, message(type, fields as never), { timeoutMs: 60_000 }),
    say: (type, ...facts) =>
      bus.publish(
        facts.map((data) => ({
          id: randomUUID(),
          type: type.type,
          source: '/test',
          time: new Date().toISOString(),
          data,
        })),
      ),
    async stop() {
      await service.close();
      await bus.close();
      await remove();
      await database.destroy();
      await scratch.drop();
    },
  };
}

function inProcess() {
  const bus = new InProcessBus({ validate: messageProblems, parked: new MemoryParkedStore() });
  return { bus, strategy: new InProcessStrategy({ bus, service: 'token-service' }), remove: async () => undefined };
}

async function onRabbit() {
  const namespace = newNamespace('tokens');
  const bus = new RabbitBus({
    url: AMQP_URL,
    namespace,
    installation: namespace,
    validate: messageProblems,
    name: 'test',
  });
  await new Promise<void>((resolve) => bus.onConnected(resolve));
  const strategy = new RabbitStrategy({ bus, service: 'token-service' });
  return { bus, strategy, remove: () => removeAll(namespace, strategy.queues) };
}
