import { randomUUID } from 'node:crypto';
import type { ChannelModel, ConfirmChannel, Message as AmqpMessage, Options } from 'amqplib';
import { PublishFailed, type PublishFailure } from './bus.js';
import { describe } from './handler-failure.js';
import type { GiveUp } from './rabbit-connection.js';
import { within } from './time-limit.js';

/** RabbitMQ 4 takes no larger message by default and answers one by closing the channel, with everything else that is on it. */
const MOST_BYTES = 16 * 1024 * 1024 - 64 * 1024;

/** amqplib gives confirm callbacks an error for a broker's nack and, with this text, for the end of the channel. */
const CHANNEL_CLOSED = 'channel closed';
const UNCONFIRMED = 'the connection was lost before the confirm';

export interface Outgoing {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
  /** For the error: what is in it. */
  readonly pattern: string;
  readonly ids: readonly string[];
}

interface Pending {
  readonly outgoing: Outgoing;
  readonly resolve: () => void;
  readonly reject: (error: PublishFailed) => void;
  readonly timer: NodeJS.Timeout;
}

/** Publishes on a confirm channel: a message counts when the broker has said that it has it in a queue. */
export class RabbitPublisher {
  readonly #pending = new Map<string, Pending>();
  #channel?: ConfirmChannel;
  #blocked = false;
  #held: string[] = [];
  readonly #prefix = randomUUID();
  #sequence = 0;
  #closing = false;
  #drained: () => void = () => undefined;

  async open(model: ChannelModel, giveUp: GiveUp): Promise<ConfirmChannel> {
    const channel = await model.createConfirmChannel();
    channel.on('error', (error) => giveUp(describe(error)));
    channel.on('close', () => giveUp('the publishing channel was closed'));
    channel.on('return', (message) => this.#returned(message));
    return channel;
  }

  /** From now on on this channel. */
  use(channel: ConfirmChannel): void {
    this.#channel = channel;
    this.#blocked = false;
  }

  /** The channel is gone: whoever waits for a confirm hears it now. */
  lost(): void {
    this.#channel = undefined;
    this.#held = [];
    for (const id of this.#pending.keys()) this.#fail(id, 'away', UNCONFIRMED);
  }

  /** While the broker blocks publishers it reads nothing from the socket: what is published then waits here, and for its time only. */
  setBlocked(blocked: boolean): void {
    this.#blocked = blocked;
    if (blocked) return;
    for (const id of this.#held.splice(0)) this.#write(id);
  }

  get ready(): boolean {
    return this.#channel !== undefined && !this.#blocked && !this.#closing;
  }

  /** @throws PublishFailed */
  send(outgoing: Outgoing, timeoutMs: number): Promise<void> {
    const { pattern, ids, content } = outgoing;
    if (this.#closing) return Promise.reject(new PublishFailed('closing', pattern, ids));
    if (!this.#channel) return Promise.reject(new PublishFailed('away', pattern, ids));
    if (content.length > MOST_BYTES) {
      return Promise.reject(
        new PublishFailed('refused', pattern, ids, `${content.length} bytes, at most ${MOST_BYTES}`),
      );
    }
    return new Promise((resolve, reject) => {
      const id = `${this.#prefix}-${++this.#sequence}`;
      const timer = setTimeout(() => this.#late(id, timeoutMs), timeoutMs);
      this.#pending.set(id, { outgoing, resolve, reject, timer });
      if (this.#blocked) this.#held.push(id);
      else this.#write(id);
    });
  }

  /** Takes nothing new and waits for open confirms, at most that long. */
  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    if (this.#pending.size === 0) return;
    await within(limitMs, new Promise<void>((resolve) => (this.#drained = resolve)));
    for (const id of this.#pending.keys()) this.#fail(id, 'closing');
  }

  #write(id: string): void {
    const pending = this.#pending.get(id);
    const channel = this.#channel;
    if (!pending || !channel) return;
    const { exchange, routingKey, content, properties } = pending.outgoing;
    try {
      channel.publish(
        exchange,
        routingKey,
        content,
        { ...properties, persistent: true, mandatory: true, messageId: id },
        (failure: unknown) => {
          if (!failure) this.#settle(id)?.resolve();
          else if (describe(failure) === CHANNEL_CLOSED) this.#fail(id, 'away', UNCONFIRMED);
          else this.#fail(id, 'refused', describe(failure));
        },
      );
    } catch (error) {
      this.#fail(id, 'away', describe(error));
    }
  }

  /** A message that no queue took comes back before its confirm does. */
  #returned({ properties, fields }: AmqpMessage): void {
    this.#fail(String(properties.messageId), 'unroutable', `routing key ${fields.routingKey}`);
  }

  #late(id: string, timeoutMs: number): void {
    if (this.#blocked) this.#fail(id, 'away', 'the broker has blocked publishers, it is short of memory or disk');
    else this.#fail(id, 'timeout', `${timeoutMs} ms`);
  }

  #fail(id: string, reason: PublishFailure, detail?: string): void {
    const pending = this.#settle(id);
    pending?.reject(new PublishFailed(reason, pending.outgoing.pattern, pending.outgoing.ids, detail));
  }

  #settle(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    if (!pending) return undefined;
    clearTimeout(pending.timer);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#drained();
    return pending;
  }
}
