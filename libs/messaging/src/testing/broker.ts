import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { peek } from '../cloud-events.js';
import { RETRY_DELAYS_MS } from '../handlers.js';
import type { Message } from '../message.js';
import { durableQueues, exchangesOf } from '../rabbit-topology.js';

export const AMQP_URL = process.env.TEST_AMQP_URL ?? 'amqp://127.0.0.1:5672';

/** Of one installation; its beginning says of which run of the tests it is, so that what an aborted run leaves can be told. */
export function newNamespace(name = 'bus'): string {
  const namespace = `${process.env.TEST_NAMESPACE ?? 'flagfall_test'}-${name}-${randomBytes(4).toString('hex')}`;
  noteOnBroker('namespace', [namespace]);
  return namespace;
}

/**
 * Tells `bin/test.mjs` what there is on the broker: a run that is ended early removes it in the place of its suites, and a broker alone cannot list it.
 * A namespace has the services' queues without further notes, and nothing any more once it is `gone`.
 */
export function noteOnBroker(what: 'namespace' | 'queue' | 'gone', names: readonly string[]): void {
  const { TEST_BROKER_NOTES: file } = process.env;
  if (file) appendFileSync(file, names.map((name) => `${what} ${name}\n`).join(''));
}

/** A plain connection to the broker, for what a test must see or do behind the back of the code it tests. */
export async function withChannel<T>(use: (channel: ConfirmChannel) => Promise<T>, url = AMQP_URL): Promise<T> {
  const model = await connect(url, { noDelay: true });
  try {
    const channel = await model.createConfirmChannel();
    const result = await use(channel);
    await channel.waitForConfirms();
    // Not with its connection: the broker works a channel's commands off before it says that it is closed.
    await channel.close();
    return result;
  } finally {
    await model.close();
  }
}

/** Messages that are ready in a queue; those given to consumers do not count. */
export async function ready(queue: string): Promise<number> {
  return withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
}

/** Takes everything out of a queue. */
export function takeAll(queue: string, url = AMQP_URL): Promise<GetMessage[]> {
  return withChannel(async (channel) => {
    const messages = await getAll(channel, queue);
    for (const message of messages) channel.ack(message);
    return messages;
  }, url);
}

/** The events in everything that is taken out of a queue. */
export async function takeEvents(queue: string, url = AMQP_URL): Promise<Message[]> {
  return (await takeAll(queue, url)).flatMap(({ content, properties }) => peek(content, properties));
}

/** Looks at everything that is ready in a queue, and leaves it there. */
export function peekAll(queue: string, url = AMQP_URL): Promise<GetMessage[]> {
  return withChannel((channel) => getAll(channel, queue), url);
}

async function getAll(channel: ConfirmChannel, queue: string): Promise<GetMessage[]> {
  const messages: GetMessage[] = [];
  for (let message = await channel.get(queue); message; message = await channel.get(queue)) messages.push(message);
  return messages;
}

/** Removes what services that ran as processes of their own left behind: their exchanges, and the queues of the events they handled. */
export async function removeServices(
  namespace: string,
  handled: readonly { service: string; type: string }[],
): Promise<void> {
  await withChannel(async (channel) => {
    for (const { service, type } of handled)
      for (const queue of durableQueues(`${namespace}.${service}.${type}`, RETRY_DELAYS_MS))
        await channel.deleteQueue(queue);
    for (const exchange of Object.values(exchangesOf(namespace))) await channel.deleteExchange(exchange);
  });
  noteOnBroker('gone', [namespace]);
}
