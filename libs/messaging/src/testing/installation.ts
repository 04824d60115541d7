import { randomUUID } from 'node:crypto';
import type { Bus } from '../bus.js';
import { InProcessBus } from '../in-process-bus.js';
import { InProcessStrategy } from '../in-process-strategy.js';
import type { MessagingStrategy } from '../messaging-strategy.js';
import type { Message } from '../message.js';
import { RabbitBus } from '../rabbit-bus.js';
import { RabbitStrategy } from '../rabbit-strategy.js';
import { exchangesOf } from '../rabbit-topology.js';
import { AMQP_URL, newNamespace, noteOnBroker, ready, withChannel } from './broker.js';
import { MemoryParkedStore } from './memory-parked-store.js';
import { RecordedLog } from './recorded-log.js';
import { type Handler, listen } from './service.js';
import { until } from './until.js';

export interface RunningService {
  readonly bus: Bus;
  readonly strategy: MessagingStrategy;
  stop(): Promise<void>;
}

/** A whole installation for one test: services on one transport, and a bus of a process that has no handlers. */
export interface Installation {
  readonly bus: Bus;
  readonly log: RecordedLog;
  /** Starts an instance of a service. On RabbitMQ each has connections of its own, as a process would. */
  start(service: string, handlers: readonly Handler[], handles?: readonly string[]): Promise<RunningService>;
  /** Resolves when requests that expired while waiting for this handler are gone. A broker counts from when it got them, a little later than the caller. */
  expired(service: string, pattern: string): Promise<void>;
  /** Stops everything, and removes every queue and exchange. */
  remove(): Promise<void>;
}

/** Data that is `{ invalid: true }` is not valid; everything else is. */
export function validate(pattern: string, data: unknown): string[] {
  return (data as { invalid?: boolean } | null)?.invalid === true ? [`${pattern}: marked as invalid`] : [];
}

let messages = 0;

/** A message as a service would make it. */
export function newMessage<T>(type: string, data: T, more: Partial<Message<T>> = {}): Message<T> {
  return { id: `m${++messages}-${randomUUID()}`, type, source: '/test', time: new Date().toISOString(), data, ...more };
}

export async function inProcess(): Promise<Installation> {
  const log = new RecordedLog();
  const bus = new InProcessBus({ validate, parked: new MemoryParkedStore() });
  const running: RunningService[] = [];
  return {
    bus,
    log,
    async start(service, handlers, handles) {
      const strategy = new InProcessStrategy({ bus, service, handles });
      const app = await listen(strategy, handlers, log);
      const started = { bus, strategy, stop: () => app.close() };
      running.push(started);
      return started;
    },
    expired: async () => undefined,
    async remove() {
      await Promise.all(running.map((service) => service.stop()));
      await bus.close();
    },
  };
}

export interface RabbitInstallation extends Installation {
  readonly namespace: string;
  readonly id: string;
  /** The queues made so far, with the namespace. */
  queues(): string[];
  /** A bus of its own, for example through a proxy, or of another installation; not connected yet. */
  newBus(url?: string, installation?: string): RabbitBus;
  /** The same, connected. */
  connect(url?: string, installation?: string): Promise<RabbitBus>;
  startOn(
    bus: RabbitBus,
    service: string,
    handlers: readonly Handler[],
    handles?: readonly string[],
  ): Promise<RunningService & { strategy: RabbitStrategy }>;
}

export async function onRabbit(): Promise<RabbitInstallation> {
  const namespace = newNamespace();
  const id = `installation-of-${namespace}`;
  const log = new RecordedLog();
  const running = new Set<RunningService>();
  const buses: RabbitBus[] = [];
  const strategies: RabbitStrategy[] = [];
  const queues = (): string[] => [...new Set(strategies.flatMap((strategy) => strategy.queues))];

  function newBus(url = AMQP_URL, installation = id): RabbitBus {
    const bus = new RabbitBus({ url, namespace, installation, validate, name: `test ${namespace}` });
    buses.push(bus);
    return bus;
  }

  async function connected(url?: string, installation?: string): Promise<RabbitBus> {
    const bus = newBus(url, installation);
    await new Promise<void>((resolve) => bus.onConnected(resolve));
    return bus;
  }

  async function startOn(
    bus: RabbitBus,
    service: string,
    handlers: readonly Handler[],
    handles?: readonly string[],
  ): Promise<RunningService & { strategy: RabbitStrategy }> {
    const strategy = new RabbitStrategy({ bus, service, handles });
    strategies.push(strategy);
    const app = await listen(strategy, handlers, log);
    noteOnBroker('queue', strategy.queues);
    const started = {
      bus,
      strategy,
      stop: async () => {
        if (!running.delete(started)) return;
        await app.close();
        await bus.close();
      },
    };
    running.add(started);
    return started;
  }

  return {
    bus: await connected(),
    namespace,
    id,
    log,
    queues,
    newBus,
    connect: connected,
    startOn,
    expired: async (service, pattern) => {
      await until('expiry', async () => (await ready(`${namespace}.${service}.${pattern}`)) === 0);
    },
    start: async (service, handlers, handles) => startOn(await connected(), service, handlers, handles),
    async remove() {
      await Promise.all([...running].map((service) => service.stop()));
      await Promise.all(buses.map((bus) => bus.close()));
      await removeAll(namespace, queues());
    },
  };
}

/** Removes the durable queues given (`RabbitStrategy.queues`) and the exchanges of a namespace. */
export async function removeAll(namespace: string, queues: readonly string[]): Promise<void> {
  await withChannel(async (channel) => {
    for (const queue of queues) await channel.deleteQueue(queue);
    for (const exchange of Object.values(exchangesOf(namespace))) await channel.deleteExchange(exchange);
  });
  noteOnBroker('gone', [namespace]);
}
