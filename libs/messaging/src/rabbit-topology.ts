import type { Channel } from 'amqplib';
import { retryQueues } from './handler-failure.js';
import type { EventHandler } from './handlers.js';

/** A message that ends this many processes or connections is parked by the broker. */
const DELIVERY_LIMIT = 20;
/** Reading parked messages counts as deliveries, and RabbitMQ 4 has a limit of 20 where none is given: they must outlive being looked at. */
const PARKED_DELIVERY_LIMIT = 1_000_000;
/** What a fan-out queue holds before it loses the oldest. */
const FAN_OUT_LENGTH = 10_000;
/** Removes a request queue that a crash of the broker left without its service (the rest is `autoDelete`). */
const REQUEST_QUEUE_EXPIRES_MS = 60_000;

export interface Exchanges {
  /** Topic: what happened. */
  readonly events: string;
  /** Direct: questions and orders. */
  readonly requests: string;
  /** Direct, `<type>.<instance>`: events for one instance; falls back to `events`. */
  readonly replies: string;
  /** Direct, by the work queue's name: to its `.parked` queue. */
  readonly dead: string;
}

export function exchangesOf(namespace: string): Exchanges {
  return {
    events: `${namespace}.events`,
    requests: `${namespace}.requests`,
    replies: `${namespace}.replies`,
    dead: `${namespace}.dead`,
  };
}

export async function declareExchanges(
  channel: Channel,
  { events, requests, replies, dead }: Exchanges,
): Promise<void> {
  await channel.assertExchange(events, 'topic');
  await channel.assertExchange(requests, 'direct');
  await channel.assertExchange(replies, 'direct', { alternateExchange: events });
  await channel.assertExchange(dead, 'direct');
}

export function retryQueue(queue: string, delayMs: number): string {
  return `${queue}.retry.${delayMs}`;
}

export function parkedQueue(queue: string): string {
  return `${queue}.parked`;
}

/** A work queue and all that stands beside it. */
export function durableQueues(queue: string, delaysMs: readonly number[]): string[] {
  return [queue, ...retryQueues(delaysMs).map((delayMs) => retryQueue(queue, delayMs)), parkedQueue(queue)];
}

/**
 * A quorum queue for one handler of one service, its retry queues and its parked one. Dead-lettering is at-least-once, which asks for `reject-publish`
 * (stack-notes.md §2): no step between the queues loses a message.
 */
export async function declareWorkQueue(
  channel: Channel,
  exchanges: Exchanges,
  queue: string,
  { type, addressed, retryDelaysMs }: EventHandler,
): Promise<void> {
  const quorum = { 'x-queue-type': 'quorum' };
  const surely = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };
  const parked = parkedQueue(queue);
  await channel.assertQueue(parked, { arguments: { ...quorum, 'x-delivery-limit': PARKED_DELIVERY_LIMIT } });
  await channel.bindQueue(parked, exchanges.dead, queue);
  await channel.assertQueue(queue, {
    deadLetterExchange: exchanges.dead,
    deadLetterRoutingKey: queue,
    arguments: { ...quorum, ...surely, 'x-delivery-limit': DELIVERY_LIMIT },
  });
  for (const delayMs of retryQueues(retryDelaysMs)) {
    await channel.assertQueue(retryQueue(queue, delayMs), {
      messageTtl: delayMs,
      deadLetterExchange: '',
      deadLetterRoutingKey: queue,
      arguments: { ...quorum, ...surely },
    });
  }
  await channel.bindQueue(queue, exchanges.events, addressed ? `${type}.#` : type);
}

/** The queue of one instance for what is addressed to it. What it holds is lost with the instance. */
export async function declareAddressedQueue(
  channel: Channel,
  exchanges: Exchanges,
  queue: string,
  routingKey: string,
): Promise<void> {
  await channel.assertQueue(queue, { exclusive: true, autoDelete: true, durable: false });
  await channel.bindQueue(queue, exchanges.replies, routingKey);
}

/** The queue of one instance for what all instances get. */
export async function declareFanOutQueue(
  channel: Channel,
  exchanges: Exchanges,
  queue: string,
  type: string,
): Promise<void> {
  await channel.assertQueue(queue, {
    exclusive: true,
    autoDelete: true,
    durable: false,
    maxLength: FAN_OUT_LENGTH,
  });
  await channel.bindQueue(queue, exchanges.events, type);
}

/** Shared by all instances of a service, and gone with the last of them: then a request is unroutable, which its caller hears at once. */
export async function declareRequestQueue(
  channel: Channel,
  exchanges: Exchanges,
  queue: string,
  pattern: string,
): Promise<void> {
  await channel.assertQueue(queue, { autoDelete: true, expires: REQUEST_QUEUE_EXPIRES_MS });
  await channel.bindQueue(queue, exchanges.requests, pattern);
}
