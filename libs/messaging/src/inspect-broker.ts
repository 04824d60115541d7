import type { Duplex } from 'node:stream';
import { type ChannelModel, connect } from 'amqplib';
import { parkedQueue } from './rabbit-topology.js';
import { within } from './time-limit.js';

const CONNECT_LIMIT_MS = 5_000;
const NOT_FOUND = 404;
/** A broker with an alarm says so at the first message, and takes none. */
const TAKE_LIMIT_MS = 2_000;

/** How a work queue stands, and what is parked beside it. */
export interface QueueState {
  /** `<service>.<type>`. */
  readonly queue: string;
  /** AMQP messages that nobody has been given. */
  readonly waiting: number;
  readonly consumers: number;
  readonly parked: number;
}

/** A broker as it was found. */
export interface BrokerState {
  /** Such as `RabbitMQ 4.1.0`. */
  readonly product: string;
  /** Why it takes no messages at present, in its own words, such as `low on memory`; undefined when it takes them. */
  readonly blocked: string | undefined;
  readonly queues: readonly QueueState[];
  /** Queues that are not there: their service has never run in this namespace. */
  readonly missing: readonly string[];
}

/**
 * Looks at a broker from outside any service, with a connection of its own, and changes nothing there.
 * @param url with credentials, which no error repeats
 * @throws Error when the broker cannot be reached or does not let us in
 */
export async function inspectBroker(
  url: string,
  namespace: string,
  workQueues: readonly string[],
): Promise<BrokerState> {
  const model = await connect(url, { timeout: CONNECT_LIMIT_MS, clientProperties: { connection_name: 'doctor' } });
  model.on('error', () => undefined);
  try {
    const queues: QueueState[] = [];
    const missing: string[] = [];
    for (const queue of workQueues) {
      const work = await check(model, `${namespace}.${queue}`);
      const parked = await check(model, parkedQueue(`${namespace}.${queue}`));
      if (work && parked)
        queues.push({ queue, waiting: work.messageCount, consumers: work.consumerCount, parked: parked.messageCount });
      else missing.push(queue);
    }
    const { product, version } = model.connection.serverProperties;
    const blocked = await blockedBy(model);
    // A broker with an alarm reads nothing more of this connection, not even that it ends.
    if (blocked !== undefined) (model.connection as unknown as { stream: Duplex }).stream.destroy();
    return { product: `${product} ${version}`, blocked, queues, missing };
  } finally {
    await within(CONNECT_LIMIT_MS, model.close());
  }
}

/** Sends a message that goes to nobody. */
async function blockedBy(model: ChannelModel): Promise<string | undefined> {
  const channel = await model.createConfirmChannel();
  channel.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const blocked = new Promise<string>((resolve) => {
    model.once('blocked', (reason: string) => resolve(reason));
    timer = setTimeout(() => resolve(`it does not take a message within ${TAKE_LIMIT_MS / 1000} s`), TAKE_LIMIT_MS);
  });
  channel.publish('', 'flagfall.doctor', Buffer.alloc(0));
  const taken = channel.waitForConfirms().then(() => undefined);
  // It fails when the connection is closed; nobody waits for it then.
  taken.catch(() => undefined);
  try {
    return await Promise.race([taken, blocked]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asking for a queue that is not there closes the channel, so each question has its own. */
async function check(
  model: ChannelModel,
  queue: string,
): Promise<{ messageCount: number; consumerCount: number } | undefined> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  try {
    return await channel.checkQueue(queue);
  } catch (error) {
    if ((error as { code?: number }).code === NOT_FOUND) return undefined;
    throw error;
  } finally {
    await channel.close().catch(() => undefined);
  }
}
