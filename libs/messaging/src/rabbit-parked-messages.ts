import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel, GetMessage, Options } from 'amqplib';
import { PublishFailed } from './bus.js';
import { headersOf, peek } from './cloud-events.js';
import type { BeforeItGoes, ParkedMessage, ParkedMessages } from './parked-messages.js';
import type { RabbitConnection } from './rabbit-connection.js';
import type { RabbitPublisher } from './rabbit-publisher.js';
import { type Exchanges, parkedQueue } from './rabbit-topology.js';

const PUBLISH_TIMEOUT_MS = 5_000;
const NOT_FOUND = 404;
const LOOKS = 3;
const LOOK_AGAIN_MS = 100;

/** What the transport writes on a parked message. */
export const parkedHeaders = { id: 'parked-id', reason: 'parked-reason', at: 'parked-at' } as const;

/** The `.parked` queues. Each call takes the messages out unacknowledged on a channel of its own and gives back what it leaves by closing that. */
export class RabbitParkedMessages implements ParkedMessages {
  constructor(
    private readonly connection: RabbitConnection,
    private readonly publisher: RabbitPublisher,
    private readonly exchanges: Exchanges,
    private readonly namespace: string,
  ) {}

  async count(queue: string): Promise<number> {
    return this.#onChannel(queue, async (channel) => {
      const { messageCount } = await channel.checkQueue(parkedQueue(`${this.namespace}.${queue}`));
      return messageCount;
    });
  }

  /** Goes through all of it: what was looked at and given back stands at the end of a quorum queue, so the queue's own order tells nothing. */
  async list(queue: string, limit = 100, offset = 0): Promise<ParkedMessage[]> {
    const oldest: ParkedMessage[] = [];
    await this.#look(queue, async (_channel, message) => {
      const parked = toParkedMessage(queue, message);
      const younger = oldest.findLastIndex((other) => isOlder(other, parked)) + 1;
      oldest.splice(younger, 0, parked);
      if (oldest.length > offset + limit) oldest.pop();
      return true;
    });
    return oldest.slice(offset);
  }

  async find(queue: string, id: string): Promise<ParkedMessage | undefined> {
    let found: ParkedMessage | undefined;
    await this.#visit(queue, id, async (_channel, _message, parked) => {
      found = parked;
    });
    return found;
  }

  /** Confirmed in the work queue before it leaves this one. */
  async replay(queue: string, id: string, before?: BeforeItGoes): Promise<boolean> {
    return this.#visit(queue, id, async (channel, message, parked) => {
      await before?.(parked);
      const { contentType, correlationId } = message.properties as Options.Publish;
      const headers = withoutTraces(headersOf(message.properties));
      await this.publisher.send(
        {
          exchange: '',
          routingKey: `${this.namespace}.${queue}`,
          content: message.content,
          properties: { contentType, correlationId, headers },
          pattern: queue,
          ids: [id],
        },
        PUBLISH_TIMEOUT_MS,
      );
      channel.ack(message);
    });
  }

  async drop(queue: string, id: string, before?: BeforeItGoes): Promise<boolean> {
    return this.#visit(queue, id, async (channel, message, parked) => {
      await before?.(parked);
      channel.ack(message);
    });
  }

  /**
   * Looks for one message, more than once where it is not found: what somebody has just looked at comes back a moment after they closed their channel.
   * @returns whether it was there
   */
  async #visit(
    queue: string,
    id: string,
    visit: (channel: Channel, message: GetMessage, parked: ParkedMessage) => Promise<void>,
  ): Promise<boolean> {
    let found = false;
    for (let look = 1; !found && look <= LOOKS; look++) {
      if (look > 1) await sleep(LOOK_AGAIN_MS);
      await this.#look(queue, async (channel, message) => {
        const parked = toParkedMessage(queue, message);
        if (parked.id !== id) return true;
        found = true;
        await visit(channel, message, parked);
        return false;
      });
    }
    return found;
  }

  /** Goes through the queue, as long as `visit` says to go on. */
  async #look(queue: string, visit: (channel: Channel, message: GetMessage) => Promise<boolean>): Promise<void> {
    await this.#onChannel(queue, async (channel) => {
      let message = await channel.get(parkedQueue(`${this.namespace}.${queue}`));
      while (message && (await visit(channel, message))) {
        message = await channel.get(parkedQueue(`${this.namespace}.${queue}`));
      }
    });
  }

  async #onChannel<Result>(queue: string, use: (channel: Channel) => Promise<Result>): Promise<Result> {
    const model = this.connection.model;
    if (!model) throw new PublishFailed('away', queue, []);
    const channel = await model.createChannel();
    // A missing queue closes the channel, which rejects the call below as well.
    channel.on('error', () => undefined);
    try {
      return await use(channel);
    } catch (error) {
      if ((error as { code?: number }).code === NOT_FOUND) throw new PublishFailed('unroutable', queue, []);
      throw error;
    } finally {
      await channel.close().catch(() => undefined);
    }
  }
}

function toParkedMessage(queue: string, { content, properties }: GetMessage): ParkedMessage {
  const headers = headersOf(properties);
  const messages = peek(content, properties);
  const deaths = headers['x-death'] as { reason?: string; time?: { value?: number } }[] | undefined;
  const { id, reason, at } = parkedHeaders;
  return {
    id: text(headers[id]) ?? messages[0]?.id ?? String(properties.messageId),
    queue,
    reason:
      text(headers[reason]) ??
      `the broker parked it after too many deliveries that were never acknowledged (${deaths?.[0]?.reason ?? 'no reason given'})`,
    parkedAt: text(headers[at]) ?? new Date((deaths?.[0]?.time?.value ?? 0) * 1000).toISOString(),
    messages,
  };
}

function isOlder(one: ParkedMessage, other: ParkedMessage): boolean {
  return one.parkedAt < other.parkedAt || (one.parkedAt === other.parkedAt && one.id < other.id);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** As the message was before anyone handled it: the first attempt, never dead. */
function withoutTraces(headers: Record<string, unknown>): Record<string, unknown> {
  const traces = new Set<string>([...Object.values(parkedHeaders), 'attempt']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !traces.has(name) && !name.startsWith('x-')));
}
