import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { PublishFailed, type PublishFailure, type RequestOptions, RequestTimeout } from './bus.js';
import { describe } from './handler-failure.js';
import type { GiveUp } from './rabbit-connection.js';
import { readReply } from './reply.js';
import { BROKER_LIMIT_MS, within } from './time-limit.js';

/** The broker's pseudo-queue for direct replies: no queue is made, and requests must leave on the channel that consumes it. */
const REPLY_TO = 'amq.rabbitmq.reply-to';

interface Waiting {
  readonly pattern: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The caller's side of requests, and the way back for the answers of this process's handlers. Nothing here is confirmed or kept: callers have a deadline. */
export class RabbitRequester {
  readonly #waiting = new Map<string, Waiting>();
  #channel?: Channel;
  #closing = false;
  #drained: () => void = () => undefined;

  constructor(
    private readonly exchange: string,
    private readonly installation: string,
  ) {}

  async open(model: ChannelModel, giveUp: GiveUp): Promise<Channel> {
    const channel = await model.createChannel();
    channel.on('error', (error) => giveUp(describe(error)));
    channel.on('close', () => giveUp('the channel for requests was closed'));
    channel.on('return', ({ properties }) => this.#fail(String(properties.correlationId), 'away'));
    await channel.consume(
      REPLY_TO,
      (message) => (message ? this.#answered(message) : giveUp('the broker cancelled the replies')),
      { noAck: true },
    );
    return channel;
  }

  use(channel: Channel): void {
    this.#channel = channel;
  }

  lost(): void {
    this.#channel = undefined;
    for (const id of this.#waiting.keys()) this.#fail(id, 'away', 'the connection was lost before the answer');
  }

  /** The time-out is also the message's TTL, so that the broker drops it when nobody waits any more. */
  async request<T>(pattern: string, data: unknown, { timeoutMs, traceparent }: RequestOptions): Promise<T> {
    if (this.#closing) throw new PublishFailed('closing', pattern, []);
    const channel = this.#channel;
    if (!channel) throw new PublishFailed('away', pattern, []);
    const correlationId = randomUUID();
    const content = Buffer.from(JSON.stringify(data) ?? 'null');
    const reply = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle(correlationId)?.reject(new RequestTimeout(pattern, timeoutMs));
      }, timeoutMs);
      this.#waiting.set(correlationId, { pattern, resolve, reject, timer });
      try {
        channel.publish(this.exchange, pattern, content, {
          contentType: 'application/json',
          correlationId,
          replyTo: REPLY_TO,
          expiration: String(Math.max(1, Math.floor(timeoutMs))),
          mandatory: true,
          headers: { installation: this.installation, ...(traceparent === undefined ? {} : { traceparent }) },
        });
      } catch (error) {
        this.#fail(correlationId, 'away', describe(error));
      }
    });
    return readReply<T>(reply);
  }

  /** Answers a request. An answer that finds no connection is lost, and its caller runs into the deadline. */
  reply(replyTo: string, correlationId: string, reply: string): void {
    try {
      this.#channel?.publish('', replyTo, Buffer.from(reply), { correlationId, contentType: 'application/json' });
    } catch {
      // The channel closed this moment; see above.
    }
  }

  /** Takes nothing new, waits for answers that are to come, and sees off those that were given; waiting at most that long. */
  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    if (this.#waiting.size > 0) await within(limitMs, new Promise<void>((resolve) => (this.#drained = resolve)));
    // Answers are not confirmed, and the connection's end could overtake them: when the broker has answered this, it has read them.
    if (this.#channel) await within(BROKER_LIMIT_MS, this.#channel.checkExchange(this.exchange));
    for (const id of this.#waiting.keys()) this.#fail(id, 'closing');
  }

  #answered({ properties, content }: ConsumeMessage): void {
    this.#settle(String(properties.correlationId))?.resolve(content.toString());
  }

  #fail(id: string, reason: PublishFailure, detail?: string): void {
    const waiting = this.#settle(id);
    waiting?.reject(new PublishFailed(reason, waiting.pattern, [], detail));
  }

  #settle(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (!waiting) return undefined;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#drained();
    return waiting;
  }
}
