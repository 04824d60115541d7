import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import {
  allPublished,
  type Backlog,
  Bus,
  PublishFailed,
  type PublishOptions,
  refuseInvalid,
  type RequestOptions,
  RequestTimeout,
} from './bus.js';
import { describe } from './handler-failure.js';
import type { EventHandler, RequestHandler } from './handlers.js';
import { InProcessSubscription } from './in-process-subscription.js';
import type { Message, Validate } from './message.js';
import type { BeforeItGoes, ParkedMessages, ParkedStore } from './parked-messages.js';
import { answer, readReply } from './reply.js';
import { Slots } from './slots.js';
import { DRAIN_LIMIT_MS, within } from './time-limit.js';

export interface InProcessBusOptions {
  validate: Validate;
  /** Where parked messages are kept. */
  parked: ParkedStore;
}

interface Answering {
  readonly handler: RequestHandler;
  readonly slots: Slots;
  readonly running: Set<Promise<unknown>>;
}

/** The transport for everything in one process: nothing is kept here, so a publisher waits until its message was handled, or tries again. */
export class InProcessBus extends Bus {
  readonly #validate: Validate;
  readonly #store: ParkedStore;
  readonly #log = new Logger('Messaging');
  readonly #events = new Map<string, InProcessSubscription[]>();
  readonly #requests = new Map<string, Answering>();
  #closing = false;

  readonly parked: ParkedMessages = {
    count: (queue) => this.#store.count(queue),
    list: (queue, limit = 100, offset = 0) => this.#store.list(queue, limit, offset),
    find: (queue, id) => this.#store.find(queue, id),
    replay: (queue, id, before) => this.#replay(queue, id, before),
    drop: async (queue, id, before) => {
      const found = await this.#store.find(queue, id);
      if (found) await before?.(found);
      return this.#store.drop(queue, id);
    },
  };

  constructor({ validate, parked }: InProcessBusOptions) {
    super();
    this.#validate = validate;
    this.#store = parked;
  }

  get connected(): boolean {
    return !this.#closing;
  }

  onConnected(listener: () => void): () => void {
    let listening = true;
    queueMicrotask(() => {
      if (listening && this.connected) listener();
    });
    return () => {
      listening = false;
    };
  }

  async publish(messages: readonly Message[], options: PublishOptions = {}): Promise<void> {
    const ids = messages.map(({ id }) => id);
    for (const { type, data } of messages) refuseInvalid(this.#validate, type, data, ids);
    await allPublished(messages.map((message) => this.#publishOne(message, options.to !== undefined)));
  }

  async #publishOne(message: Message, addressed: boolean): Promise<void> {
    if (this.#closing) throw new PublishFailed('closing', message.type, [message.id]);
    const subscriptions = (this.#events.get(message.type) ?? []).filter(
      ({ handler }) => handler.addressed || !addressed,
    );
    if (subscriptions.length === 0) throw new PublishFailed('unroutable', message.type, [message.id]);
    const deliveries = subscriptions.map((subscription) => {
      const delivered = subscription.deliver(message).then(() => undefined);
      if (!subscription.handler.fanOut) return delivered;
      delivered.catch(() => undefined);
      return Promise.resolve();
    });
    const failed = (await Promise.allSettled(deliveries)).some(({ status }) => status === 'rejected');
    if (failed) throw new PublishFailed('closing', message.type, [message.id]);
  }

  async backlog(queue: string): Promise<Backlog> {
    const found = [...this.#events.values()].flat().find((subscription) => subscription.queue === queue);
    return found ? { waiting: found.waiting, consumers: 1 } : { waiting: 0, consumers: 0 };
  }

  async request<T>(pattern: string, data: unknown, { timeoutMs, traceparent }: RequestOptions): Promise<T> {
    if (this.#closing) throw new PublishFailed('closing', pattern, []);
    refuseInvalid(this.#validate, pattern, data, []);
    const answering = this.#requests.get(pattern);
    if (!answering) throw new PublishFailed('away', pattern, []);
    const context = { pattern, correlationId: randomUUID(), traceparent, deadline: Date.now() + timeoutMs };
    const text = JSON.stringify(data) ?? 'null';
    const reply = answering.slots.use(async () => {
      if (Date.now() >= context.deadline) return undefined;
      return answer(answering.handler, JSON.parse(text), context, this.#log);
    });
    answering.running.add(reply);
    void reply.finally(() => answering.running.delete(reply));
    const late = new RequestTimeout(pattern, timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
    });
    const answered = await Promise.race([reply, deadline]);
    clearTimeout(timer);
    if (answered === undefined) throw late;
    return readReply<T>(answered);
  }

  /**
   * For `InProcessStrategy`: takes the handlers of a service in.
   * @returns takes them out again, once those that run have finished
   * @throws Error when the service or a request pattern is already there
   */
  subscribe(
    service: string,
    events: readonly EventHandler[],
    requests: readonly RequestHandler[],
  ): () => Promise<void> {
    const subscriptions = events.map((handler) => new InProcessSubscription(service, handler, this.#store, this.#log));
    const queues = [...this.#events.values()].flat().map(({ queue }) => queue);
    const taken = [
      ...subscriptions.map(({ queue }) => queue).filter((queue) => queues.includes(queue)),
      ...requests.map(({ pattern }) => pattern).filter((pattern) => this.#requests.has(pattern)),
    ];
    if (taken.length > 0)
      throw new Error(`${service} cannot start: ${taken.join(', ')} is handled in this process already`);
    for (const subscription of subscriptions) {
      const { type } = subscription.handler;
      this.#events.set(type, [...(this.#events.get(type) ?? []), subscription]);
    }
    const answering = requests.map((handler) => ({
      handler,
      slots: new Slots(handler.concurrency),
      running: new Set<Promise<unknown>>(),
    }));
    for (const entry of answering) this.#requests.set(entry.handler.pattern, entry);
    return async () => {
      for (const { handler } of answering) this.#requests.delete(handler.pattern);
      await this.#drain(subscriptions, answering);
    };
  }

  async #drain(subscriptions: readonly InProcessSubscription[], answering: readonly Answering[]): Promise<void> {
    const replies = Promise.all(answering.flatMap(({ running }) => [...running]));
    await Promise.all([...subscriptions.map((subscription) => subscription.close()), within(DRAIN_LIMIT_MS, replies)]);
  }

  async #replay(queue: string, id: string, before?: BeforeItGoes): Promise<boolean> {
    const found = await this.#store.find(queue, id);
    if (!found) return false;
    const subscription = [...this.#events.values()].flat().find((candidate) => candidate.queue === queue);
    if (!subscription) throw new PublishFailed('unroutable', queue, [id]);
    await before?.(found);
    for (const message of found.messages) void this.#deliverAgain(subscription, message);
    return true;
  }

  /** The row goes when the message is done, so that it is not lost if this process dies before; parking again replaces it. */
  async #deliverAgain(subscription: InProcessSubscription, message: Message): Promise<void> {
    try {
      const outcome = await subscription.deliver(message);
      if (outcome === 'done') await this.#store.drop(subscription.queue, message.id);
    } catch (error) {
      this.#log.warn(`${subscription.queue}: ${message.id} stays parked: ${describe(error)}`);
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#drain([...this.#events.values()].flat(), [...this.#requests.values()]);
  }
}
