import type { Logger } from '@nestjs/common';
import { PublishFailed } from './bus.js';
import { decideFate, describe } from './handler-failure.js';
import type { EventHandler } from './handlers.js';
import { insist } from './insist.js';
import type { Message } from './message.js';
import type { ParkedStore } from './parked-messages.js';
import { DRAIN_LIMIT_MS, within } from './time-limit.js';
import { Worker, type WorkItem } from './worker.js';

export type Outcome = 'done' | 'parked';

interface Item extends WorkItem {
  readonly attempt: number;
  readonly finish: (outcome: Outcome | PublishFailed) => void;
}

/** One event handler of one service in this process: its queue, its retries and what its publishers wait for. */
export class InProcessSubscription {
  /** As the queue would be called on RabbitMQ, without the namespace. */
  readonly queue: string;
  readonly #stop = new AbortController();
  readonly #worker: Worker<Item>;
  readonly #unfinished = new Set<Item['finish']>();
  readonly #putOff = new Map<NodeJS.Timeout, Item>();
  #closing?: Promise<void>;

  constructor(
    service: string,
    readonly handler: EventHandler,
    private readonly store: ParkedStore,
    private readonly log: Logger,
  ) {
    this.queue = `${service}.${handler.type}`;
    this.#worker = new Worker<Item>({
      batch: handler.batch,
      concurrency: handler.concurrency,
      restMs: handler.restMs,
      run: (items) => {
        const { attempt } = items[0]!;
        const messages = items.map(({ message }) => message);
        return handler.handle(messages, { attempt, lastAttempt: attempt > handler.retryDelaysMs.length });
      },
      settle: (item, failure) => this.#settle(item, failure),
      batchFailed: (size, error) =>
        log.warn(`${this.queue}: a batch of ${size} failed and is run one by one: ${describe(error)}`),
    });
  }

  /** Messages that no run of the handler has begun with. */
  get waiting(): number {
    return this.#worker.waiting;
  }

  /**
   * Hands a message to the handler. The data goes through JSON, as it would through a broker.
   * @returns when the handler succeeded or the message was parked; with fan-out there is nothing to wait for
   * @throws PublishFailed `closing`
   */
  async deliver(message: Message): Promise<Outcome> {
    if (this.#closing) throw this.#closed(message);
    const copy = JSON.parse(JSON.stringify(message)) as Message;
    return new Promise((resolve, reject) => {
      const finish: Item['finish'] = (outcome) => {
        this.#unfinished.delete(finish);
        if (typeof outcome === 'string') resolve(outcome);
        else reject(outcome);
      };
      this.#unfinished.add(finish);
      this.#worker.push({ message: copy, attempt: 1, alone: false, finish });
    });
  }

  /** Waits for running handlers, gives up what waits or is put off: its publishers hear `closing`. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    for (const [timer, item] of this.#putOff) {
      clearTimeout(timer);
      item.finish(this.#closed(item.message));
    }
    this.#putOff.clear();
    for (const item of this.#worker.takeBack(() => true)) item.finish(this.#closed(item.message));
    await within(DRAIN_LIMIT_MS, this.#worker.idle());
    this.#stop.abort();
    for (const finish of this.#unfinished) finish(new PublishFailed('closing', this.handler.type, []));
  }

  async #settle(item: Item, failure?: { error: unknown }): Promise<void> {
    const { queue, handler } = this;
    const { counts } = handler;
    if (!failure) {
      counts.done++;
      return item.finish('done');
    }
    const { message, attempt } = item;
    if (handler.fanOut) {
      counts.dropped++;
      this.log.warn(`${queue}: ${message.id} failed and is dropped: ${describe(failure.error)}`);
      return item.finish('done');
    }
    const fate = decideFate(failure.error, attempt, handler.retryDelaysMs);
    if ('retry' in fate) {
      counts.retried++;
      const { afterMs } = fate.retry;
      this.log.warn(
        `${queue}: ${message.id} failed in attempt ${attempt}, again in ${afterMs} ms: ${describe(failure.error)}`,
      );
      this.#putOffBy(afterMs, { ...item, attempt: fate.retry.attempt, alone: fate.retry.attempt > 1 });
      return;
    }
    counts.parked++;
    this.log.error(`${queue}: ${message.id} is parked: ${fate.park}`, (failure.error as Error | undefined)?.stack);
    const parked = await insist(
      () => this.store.park(message, queue, fate.park),
      this.#stop.signal,
      (error) => this.log.error(`${queue}: ${message.id} could not be parked yet: ${describe(error)}`),
    );
    item.finish(parked ? 'parked' : this.#closed(message));
  }

  #putOffBy(delayMs: number, item: Item): void {
    if (this.#closing) return item.finish(this.#closed(item.message));
    const timer = setTimeout(() => {
      this.#putOff.delete(timer);
      this.#worker.push(item);
    }, delayMs);
    this.#putOff.set(timer, item);
  }

  #closed(message: Message): PublishFailed {
    return new PublishFailed('closing', message.type, [message.id]);
  }
}
