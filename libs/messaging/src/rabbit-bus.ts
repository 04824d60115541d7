import { Logger } from '@nestjs/common';
import {
  allPublished,
  type Backlog,
  Bus,
  PublishFailed,
  type PublishOptions,
  refuseInvalid,
  type RequestOptions,
} from './bus.js';
import { encode } from './cloud-events.js';
import type { Message, Validate } from './message.js';
import { RabbitConnection } from './rabbit-connection.js';
import { RabbitParkedMessages } from './rabbit-parked-messages.js';
import { RabbitPublisher } from './rabbit-publisher.js';
import { RabbitRequester } from './rabbit-requester.js';
import { declareExchanges, type Exchanges, exchangesOf } from './rabbit-topology.js';
import { DRAIN_LIMIT_MS } from './time-limit.js';

export interface RabbitBusOptions {
  /** `amqp://` or `amqps://`. */
  url: string;
  /** First part of the name of every queue and exchange. */
  namespace: string;
  /** The installation's id: messages of another one on the same broker and namespace are refused. */
  installation: string;
  validate: Validate;
  /** Shown by the broker's tools, such as the service's name. */
  name: string;
}

const PUBLISH_TIMEOUT_MS = 5_000;
const NOT_FOUND = 404;

/** The transport for services that are processes of their own. Starts to connect when made, and goes on trying; publishing meanwhile fails at once. */
export class RabbitBus extends Bus {
  readonly url: string;
  readonly namespace: string;
  readonly installation: string;
  readonly validate: Validate;
  readonly exchanges: Exchanges;
  readonly parked: RabbitParkedMessages;
  /** For `RabbitStrategy`: sets failed messages aside, and sends answers. */
  readonly publisher = new RabbitPublisher();
  readonly requester: RabbitRequester;
  readonly #connection: RabbitConnection;
  readonly #listeners = new Set<() => void>();

  constructor({ url, namespace, installation, validate, name }: RabbitBusOptions) {
    super();
    this.url = url;
    this.namespace = namespace;
    this.installation = installation;
    this.validate = validate;
    this.exchanges = exchangesOf(namespace);
    this.requester = new RabbitRequester(this.exchanges.requests, installation);
    this.#connection = new RabbitConnection({
      url,
      name: `${name} (publishing)`,
      log: new Logger('Messaging'),
      setUp: async (model, giveUp) => {
        const confirms = await this.publisher.open(model, giveUp);
        await declareExchanges(confirms, this.exchanges);
        const requests = await this.requester.open(model, giveUp);
        this.publisher.use(confirms);
        this.requester.use(requests);
      },
      connected: () => this.#announce(),
      lost: () => {
        this.publisher.lost();
        this.requester.lost();
      },
      blocked: (blocked) => {
        this.publisher.setBlocked(blocked);
        if (!blocked) this.#announce();
      },
    });
    this.parked = new RabbitParkedMessages(this.#connection, this.publisher, this.exchanges, namespace);
  }

  get connected(): boolean {
    return this.publisher.ready;
  }

  onConnected(listener: () => void): () => void {
    this.#listeners.add(listener);
    queueMicrotask(() => {
      if (this.connected && this.#listeners.has(listener)) listener();
    });
    return () => this.#listeners.delete(listener);
  }

  #announce(): void {
    for (const listener of this.#listeners) listener();
  }

  async publish(messages: readonly Message[], options: PublishOptions = {}): Promise<void> {
    const ids = messages.map(({ id }) => id);
    for (const { type, data } of messages) refuseInvalid(this.validate, type, data, ids);
    const { to, timeoutMs = PUBLISH_TIMEOUT_MS } = options;
    const types = [...new Set(messages.map(({ type }) => type))];
    await allPublished(
      types.flatMap((type) => {
        const address =
          to === undefined
            ? { exchange: this.exchanges.events, routingKey: type }
            : { exchange: this.exchanges.replies, routingKey: `${type}.${to}` };
        const ofType = messages.filter((message) => message.type === type);
        return encode(ofType, this.installation).map((envelope) =>
          this.publisher.send({ ...address, ...envelope, pattern: type }, timeoutMs),
        );
      }),
    );
  }

  async request<T>(pattern: string, data: unknown, options: RequestOptions): Promise<T> {
    refuseInvalid(this.validate, pattern, data, []);
    return this.requester.request<T>(pattern, data, options);
  }

  async backlog(queue: string): Promise<Backlog> {
    const model = this.#connection.model;
    if (!model) throw new PublishFailed('away', queue, []);
    const channel = await model.createChannel();
    // Asking for a queue that is not there closes the channel.
    channel.on('error', () => undefined);
    try {
      const { messageCount, consumerCount } = await channel.checkQueue(`${this.namespace}.${queue}`);
      return { waiting: messageCount, consumers: consumerCount };
    } catch (error) {
      if ((error as { code?: number }).code === NOT_FOUND) return { waiting: 0, consumers: 0 };
      throw error;
    } finally {
      await channel.close().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.publisher.close(DRAIN_LIMIT_MS), this.requester.close(DRAIN_LIMIT_MS)]);
    await this.#connection.close();
  }
}
