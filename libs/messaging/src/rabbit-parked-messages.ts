import type { Channel, GetMessage, Options } from 'amqplib';
import { PublishFailed } from './bus.js';
import { headersOf, peek } from './cloud-events.js';
import type { ParkedMessage, ParkedMessages } from './parked-messages.js';
import type { RabbitConnection } from './rabbit-connection.js';
import type { RabbitPublisher } from './rabbit-publisher.js';
import { type Exchanges, parkedQueue } from './rabbit-topology.js';

const PUBLISH_TIMEOUT_MS = 5_000;
const NOT_FOUND = 404;

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

  async list(queue: string, limit = 100): Promise<ParkedMessage[]> {
    const found: ParkedMessage[] = [];
    await this.#look(queue, async (_channel, message) => {
      found.push(toParkedMessage(queue, message));
      return found.length < limit;
    });
    return found;
  }

  /** Confirmed in the work queue before it leaves this one. */
  async replay(queue: string, id: string): Promise<boolean> {
    return this.#take(queue, id, async (message) => {
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
    });
  }

  async drop(queue: string, id: string): Promise<boolean> {
    return this.#take(queue, id, async () => undefined);
  }

  async #take(queue: string, id: string, before: (message: GetMessage) => Promise<void>): Promise<boolean> {
    let taken = false;
    await this.#look(queue, async (channel, message) => {
      if (toParkedMessage(queue, message).id !== id) return true;
      await before(message);
      channel.ack(message);
      taken = true;
      return false;
    });
    return taken;
  }

  /** Goes through the queue, oldest first, as long as `visit` says to go on. */
  async #look(queue: string, visit: (channel: Channel, message: GetMessage) => Promise<boolean>): Promise<void> {
    const model = this.connection.model;
    if (!model) throw new PublishFailed('away', queue, []);
    const channel = await model.createChannel();
    // A missing queue closes the channel, which rejects the call below as well.
    channel.on('error', () => undefined);
    try {
      let message = await channel.get(parkedQueue(`${this.namespace}.${queue}`));
      while (message && (await visit(channel, message))) {
        message = await channel.get(parkedQueue(`${this.namespace}.${queue}`));
      }
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

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** As the message was before anyone handled it: the first attempt, never dead. */
function withoutTraces(headers: Record<string, unknown>): Record<string, unknown> {
  const traces = new Set<string>([...Object.values(parkedHeaders), 'attempt']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !traces.has(name) && !name.startsWith('x-')));
}
