import type { Logger } from '@nestjs/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { headersOf } from './cloud-events.js';
import { describe } from './handler-failure.js';
import type { RequestHandler } from './handlers.js';
import { problemsOf } from './message.js';
import type { RabbitBus } from './rabbit-bus.js';
import type { GiveUp } from './rabbit-connection.js';
import { declareRequestQueue } from './rabbit-topology.js';
import { answer, failedAnswer } from './reply.js';
import { BROKER_LIMIT_MS, within } from './time-limit.js';

/** One request handler on one connection. As many requests are delivered as may run, so none waits here and expired ones never leave the broker. */
export class RabbitResponder {
  readonly #bus: RabbitBus;
  readonly #handler: RequestHandler;
  readonly #queue: string;
  readonly #log: Logger;
  readonly #giveUp: GiveUp;
  readonly #running = new Set<Promise<void>>();
  #channel?: Channel;
  #tag?: string;
  #closing = false;
  #dead = false;

  constructor(bus: RabbitBus, handler: RequestHandler, queue: string, log: Logger, giveUp: GiveUp) {
    this.#bus = bus;
    this.#handler = handler;
    this.#queue = queue;
    this.#log = log;
    this.#giveUp = giveUp;
  }

  /** Declares the queue and subscribes. A responder is opened once. */
  async open(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel();
    this.#channel = channel;
    channel.on('error', (error) => this.#giveUp(describe(error)));
    channel.on('close', () => {
      this.#dead = true;
      if (!this.#closing) this.#giveUp(`the channel of ${this.#queue} was closed`);
    });
    await declareRequestQueue(channel, this.#bus.exchanges, this.#queue, this.#handler.pattern);
    await channel.prefetch(this.#handler.concurrency);
    const { consumerTag } = await channel.consume(this.#queue, (message) => this.#delivered(message));
    this.#tag = consumerTag;
  }

  /** Stops to consume and lets what runs answer. */
  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    const channel = this.#channel;
    if (channel && this.#tag !== undefined && !this.#dead) await within(BROKER_LIMIT_MS, channel.cancel(this.#tag));
    await within(limitMs, Promise.all(this.#running));
    if (channel && !this.#dead) await within(BROKER_LIMIT_MS, channel.close());
  }

  /** Whether its handler still runs, on whichever connection. */
  get busy(): boolean {
    return this.#running.size > 0;
  }

  #delivered(message: ConsumeMessage | null): void {
    if (message === null) return this.#giveUp(`the broker cancelled the consumer of ${this.#queue}`);
    const run = this.#handle(message).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #handle(message: ConsumeMessage): Promise<void> {
    // A request that was delivered before may have been carried out: repeating it is its caller's decision, not ours.
    if (!message.fields.redelivered) {
      const { replyTo, correlationId } = message.properties as { replyTo: string; correlationId: string };
      const reply = await this.#answer(message, correlationId);
      this.#bus.requester.reply(replyTo, correlationId, reply);
    }
    if (!this.#dead) this.#channel?.ack(message);
  }

  async #answer({ content, properties }: ConsumeMessage, correlationId: string): Promise<string> {
    const { pattern } = this.#handler;
    const { installation, traceparent } = headersOf(properties);
    if (installation !== this.#bus.installation) {
      return failedAnswer(
        `${pattern} was refused`,
        `it came from another installation (${String(installation)})`,
        this.#log,
      );
    }
    let data: unknown;
    try {
      data = JSON.parse(content.toString());
    } catch {
      return failedAnswer(`${pattern} was refused`, 'its body is not JSON', this.#log);
    }
    const problems = problemsOf(this.#bus.validate, pattern, data);
    if (problems.length > 0) return failedAnswer(`${pattern} was refused`, problems.join('; '), this.#log);
    const context = {
      pattern,
      correlationId,
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      deadline: Date.now() + Number(properties.expiration),
    };
    return answer(this.#handler, data, context, this.#log);
  }
}
