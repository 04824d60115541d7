import { randomUUID } from 'node:crypto';
import type { Logger } from '@nestjs/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { decode, encode, headersOf, type Undecodable } from './cloud-events.js';
import { decideFate, describe } from './handler-failure.js';
import type { EventHandler } from './handlers.js';
import { insist } from './insist.js';
import type { Message } from './message.js';
import type { RabbitBus } from './rabbit-bus.js';
import type { GiveUp } from './rabbit-connection.js';
import { parkedHeaders } from './rabbit-parked-messages.js';
import { declareAddressedQueue, declareFanOutQueue, declareWorkQueue, retryQueue } from './rabbit-topology.js';
import { BROKER_LIMIT_MS, within } from './time-limit.js';
import { Worker, type WorkItem } from './worker.js';

const ATTEMPT = 'attempt';
const SET_ASIDE_TIMEOUT_MS = 5_000;

/** One AMQP message; acknowledged when all its events are settled. */
interface Delivery {
  readonly amqp: ConsumeMessage;
  open: number;
  /** Whether any of its events has been given to the handler or set aside: then the others must be finished too before a shutdown. */
  begun: boolean;
}

interface Item extends WorkItem {
  readonly attempt: number;
  readonly delivery: Delivery;
}

/**
 * One event handler on one connection: consumes the handler's queues and turns what the handler does into acknowledgements, retries and parking.
 * Dies with its connection: what it had not acknowledged comes again, so nothing is acknowledged or set aside any more.
 */
export class RabbitConsumer {
  readonly #bus: RabbitBus;
  readonly #handler: EventHandler;
  readonly #queue: string;
  readonly #log: Logger;
  readonly #giveUp: GiveUp;
  readonly #worker: Worker<Item>;
  readonly #stop = new AbortController();
  readonly #parking = new Set<Promise<void>>();
  readonly #tags: string[] = [];
  #channel?: Channel;
  #closing = false;

  /** @param queue the work queue's name */
  constructor(bus: RabbitBus, handler: EventHandler, queue: string, log: Logger, giveUp: GiveUp) {
    this.#bus = bus;
    this.#handler = handler;
    this.#queue = queue;
    this.#log = log;
    this.#giveUp = giveUp;
    this.#worker = new Worker<Item>({
      batch: handler.batch,
      concurrency: handler.concurrency,
      restMs: handler.restMs,
      run: (items) => this.#run(items),
      settle: (item, failure) => this.#settle(item, failure),
      batchFailed: (size, error) =>
        log.warn(`${queue}: a batch of ${size} failed and is run one by one: ${describe(error)}`),
    });
  }

  /** Declares the queues and subscribes. A consumer is opened once. */
  async open(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel();
    this.#channel = channel;
    channel.on('error', (error) => this.#giveUp(describe(error)));
    channel.on('close', () => this.#die());
    const { batch, concurrency } = this.#handler;
    // With batches, as many again wait here while a batch runs, so that the next one finds something. A single one must not wait
    // behind a slow handler here while another instance has nothing to do.
    await channel.prefetch(batch === 1 ? concurrency : 2 * batch * concurrency);
    for (const queue of await this.#declare(channel)) {
      const { consumerTag } = await channel.consume(queue, (message) => this.#delivered(message));
      this.#tags.push(consumerTag);
    }
  }

  /** The queues to consume. Those of one instance get a new name each time: the broker may still hold the one of a connection that died. */
  async #declare(channel: Channel): Promise<string[]> {
    const { exchanges, instance } = this.#bus;
    const { type, fanOut, addressed } = this.#handler;
    const own = `${this.#queue}.${instance}.${randomUUID().slice(0, 8)}`;
    if (fanOut) {
      await declareFanOutQueue(channel, exchanges, own, type);
      return [own];
    }
    await declareWorkQueue(channel, exchanges, this.#queue, this.#handler);
    if (!addressed) return [this.#queue];
    await declareAddressedQueue(channel, exchanges, own, `${type}.${instance}`);
    return [own, this.#queue];
  }

  /** Stops to consume, lets the handler finish what it has begun with, and acknowledges it. What it has not begun with goes back. */
  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    const channel = this.#channel;
    if (channel && !this.#dead)
      await within(BROKER_LIMIT_MS, Promise.all(this.#tags.map((tag) => channel.cancel(tag))));
    this.#worker.takeBack(({ delivery }) => !delivery.begun);
    const finished = await within(limitMs, Promise.all([this.#worker.idle(), ...this.#parking]));
    if (!finished) this.#log.warn(`${this.#queue}: stopped while its handler was running; the messages come again`);
    const open = !this.#dead;
    this.#stop.abort();
    // The broker works a channel's commands off in order: when it has closed it, it has the acknowledgements.
    if (channel && open) await within(BROKER_LIMIT_MS, channel.close());
  }

  /** Whether its handler still runs, on whichever connection. */
  get busy(): boolean {
    return !this.#worker.isIdle;
  }

  get #dead(): boolean {
    return this.#stop.signal.aborted;
  }

  #die(): void {
    this.#stop.abort();
    this.#worker.takeBack(() => true);
    if (!this.#closing) this.#giveUp(`the channel of ${this.#queue} was closed`);
  }

  #delivered(amqp: ConsumeMessage | null): void {
    if (amqp === null) return this.#giveUp(`the broker cancelled the consumer of ${this.#queue}`);
    if (this.#closing) return;
    const { installation, validate } = this.#bus;
    const { type } = this.#handler;
    const { messages, undecodable } = decode(amqp.content, amqp.properties, { installation, type, validate });
    const delivery: Delivery = { amqp, open: messages.length + undecodable.length, begun: undecodable.length > 0 };
    if (delivery.open === 0) return this.#channel?.ack(amqp);
    const attempt = attemptOf(headersOf(amqp.properties)[ATTEMPT]);
    const alone = amqp.fields.redelivered || attempt > 1;
    for (const message of messages) this.#worker.push({ message, attempt, alone, delivery });
    for (const bad of undecodable) {
      const parking = this.#parkUndecodable(bad, delivery).finally(() => this.#parking.delete(parking));
      this.#parking.add(parking);
    }
  }

  async #run(items: Item[]): Promise<void> {
    for (const { delivery } of items) delivery.begun = true;
    const { attempt } = items[0]!;
    const context = { attempt, lastAttempt: attempt > this.#handler.retryDelaysMs.length };
    await this.#handler.handle(
      items.map(({ message }) => message),
      context,
    );
  }

  async #settle({ message, attempt, delivery }: Item, failure?: { error: unknown }): Promise<void> {
    if (!failure) this.#handler.counts.done++;
    else if (!this.#dead && !(await this.#setAside(message, attempt, failure.error))) return;
    this.#finish(delivery);
  }

  /** Whether the message is safe elsewhere, so that this copy can go. */
  async #setAside(message: Message, attempt: number, error: unknown): Promise<boolean> {
    const { fanOut, retryDelaysMs, counts } = this.#handler;
    if (fanOut) {
      counts.dropped++;
      this.#log.warn(`${this.#queue}: ${message.id} failed and is dropped: ${describe(error)}`);
      return true;
    }
    const fate = decideFate(error, attempt, retryDelaysMs);
    const [envelope] = encode([message], this.#bus.installation);
    const { content, properties } = envelope!;
    if ('retry' in fate) {
      counts.retried++;
      const { afterMs, attempt: next } = fate.retry;
      this.#log.warn(
        `${this.#queue}: ${message.id} failed in attempt ${attempt}, again in ${afterMs} ms: ${describe(error)}`,
      );
      const headers = { ...properties.headers, [ATTEMPT]: next };
      return this.#insist(message.id, '', retryQueue(this.#queue, afterMs), content, { ...properties, headers });
    }
    this.#log.error(`${this.#queue}: ${message.id} is parked: ${fate.park}`, (error as Error | undefined)?.stack);
    return this.#park(message.id, fate.park, content, properties);
  }

  async #parkUndecodable({ problem, content, properties }: Undecodable, delivery: Delivery): Promise<void> {
    if (this.#handler.fanOut) {
      this.#handler.counts.dropped++;
      this.#log.warn(`${this.#queue}: a message is dropped: ${problem}`);
      return this.#finish(delivery);
    }
    this.#log.error(`${this.#queue}: a message is parked: ${problem}`);
    if (await this.#park(randomUUID(), problem, content, properties)) this.#finish(delivery);
  }

  #park(id: string, reason: string, content: Buffer, properties: object & { headers?: object }): Promise<boolean> {
    this.#handler.counts.parked++;
    const headers = {
      ...properties.headers,
      [parkedHeaders.id]: id,
      [parkedHeaders.reason]: reason,
      [parkedHeaders.at]: new Date().toISOString(),
    };
    return this.#insist(id, this.#bus.exchanges.dead, this.#queue, content, { ...properties, headers });
  }

  #insist(id: string, exchange: string, routingKey: string, content: Buffer, properties: object): Promise<boolean> {
    const outgoing = { exchange, routingKey, content, properties, pattern: this.#handler.type, ids: [id] };
    return insist(
      () => this.#bus.publisher.send(outgoing, SET_ASIDE_TIMEOUT_MS),
      this.#stop.signal,
      (error) => this.#log.warn(`${this.#queue}: ${id} could not be set aside yet: ${describe(error)}`),
    );
  }

  #finish(delivery: Delivery): void {
    delivery.open--;
    if (delivery.open === 0 && !this.#dead) this.#channel?.ack(delivery.amqp);
  }
}

function attemptOf(header: unknown): number {
  return typeof header === 'number' && Number.isInteger(header) && header >= 1 ? header : 1;
}
