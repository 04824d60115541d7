import type { ChannelModel } from 'amqplib';
import type { EventHandler, RequestHandler } from './handlers.js';
import { MessagingStrategy, type StrategyOptions } from './messaging-strategy.js';
import type { RabbitBus } from './rabbit-bus.js';
import { type GiveUp, RabbitConnection } from './rabbit-connection.js';
import { RabbitConsumer } from './rabbit-consumer.js';
import { RabbitResponder } from './rabbit-responder.js';
import { declareExchanges, durableQueues } from './rabbit-topology.js';
import { DRAIN_LIMIT_MS } from './time-limit.js';

interface Consuming {
  readonly busy: boolean;
  open(model: ChannelModel): Promise<void>;
  close(limitMs: number): Promise<void>;
}

/**
 * Connects a Nest application's handlers to RabbitMQ, on a connection of its own: a broker that blocks publishers still takes acknowledgements.
 * A broker that is away does not keep the service from starting. Close it before the bus.
 */
export class RabbitStrategy extends MessagingStrategy {
  readonly #bus: RabbitBus;
  #connection?: RabbitConnection;
  #consuming: Consuming[] = [];
  #closing = false;
  /** Every durable queue of this service, with the namespace; known after `listen`. */
  queues: readonly string[] = [];

  constructor({ bus, ...options }: StrategyOptions & { bus: RabbitBus }) {
    super(options);
    this.#bus = bus;
  }

  /** Whether this service's handlers get messages at the moment. */
  get connected(): boolean {
    return this.#connection?.model !== undefined;
  }

  protected override async subscribe(
    events: readonly EventHandler[],
    requests: readonly RequestHandler[],
  ): Promise<void> {
    this.queues = events
      .filter(({ fanOut }) => !fanOut)
      .flatMap(({ type, retryDelaysMs }) => durableQueues(this.#queue(type), retryDelaysMs));
    this.#connection = new RabbitConnection({
      url: this.#bus.url,
      name: `${this.service} (consuming)`,
      log: this.logger,
      setUp: (model, giveUp) => this.#consume(model, giveUp, events, requests),
    });
    await this.#connection.firstTry;
  }

  async #consume(
    model: ChannelModel,
    giveUp: GiveUp,
    events: readonly EventHandler[],
    requests: readonly RequestHandler[],
  ): Promise<void> {
    const channel = await model.createChannel();
    await declareExchanges(channel, this.#bus.exchanges);
    await channel.close();
    if (this.#closing) return;
    const consuming: Consuming[] = [
      ...events.map(
        (handler) => new RabbitConsumer(this.#bus, handler, this.#queue(handler.type), this.logger, giveUp),
      ),
      ...requests.map(
        (handler) => new RabbitResponder(this.#bus, handler, this.#queue(handler.pattern), this.logger, giveUp),
      ),
    ];
    // Handlers that a lost connection left running are still to be waited for at shutdown.
    this.#consuming = [...this.#consuming.filter(({ busy }) => busy), ...consuming];
    await Promise.all(consuming.map((one) => one.open(model)));
  }

  #queue(pattern: string): string {
    return `${this.#bus.namespace}.${this.service}.${pattern}`;
  }

  override async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#consuming.map((one) => one.close(DRAIN_LIMIT_MS)));
    await this.#connection?.close();
  }

  override unwrap<T>(): T {
    return this.#bus as T;
  }
}
