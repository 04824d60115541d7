import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from './message.js';
import { BatchFailures } from './handler-failure.js';

export interface WorkItem {
  readonly message: Message;
  /** Comes alone even where the handler takes batches: it failed before, or a process died over it. */
  readonly alone: boolean;
}

export interface WorkerOptions<Item> {
  /** The most items in one run. */
  batch: number;
  /** The most runs at a time. */
  concurrency: number;
  /** How long a lane rests after a run, in milliseconds; not after what came alone. */
  restMs: number;
  run: (items: Item[]) => Promise<void>;
  /** Told once for each item, with what the handler threw if it did. Must not reject. */
  settle: (item: Item, failure?: { error: unknown }) => Promise<void>;
  /** Told when a whole batch failed and is about to be run again one by one. */
  batchFailed: (size: number, error: unknown) => void;
}

/**
 * Runs one handler over the messages of one queue, the same way for both transports: a run takes what is there and never waits for more;
 * of a batch that failed, each message is run alone.
 */
export class Worker<Item extends WorkItem> {
  readonly #options: WorkerOptions<Item>;
  readonly #settling = new Set<Promise<void>>();
  #waiting: Item[] = [];
  #running = 0;
  #woken = false;
  #resting = 0;
  #idle: (() => void)[] = [];

  constructor(options: WorkerOptions<Item>) {
    this.#options = options;
  }

  push(item: Item): void {
    this.#waiting.push(item);
    this.#wake();
  }

  /** Items that no run has begun with. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes back the items that no run has begun with and that `chosen` picks; they are not settled. */
  takeBack(chosen: (item: Item) => boolean): Item[] {
    const back = this.#waiting.filter(chosen);
    this.#waiting = this.#waiting.filter((item) => !chosen(item));
    this.#announceIdle();
    return back;
  }

  /** Resolves when `isIdle`. */
  async idle(): Promise<void> {
    while (!this.isIdle) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Whether nothing waits, runs or is being settled. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#running === 0 && this.#settling.size === 0;
  }

  #announceIdle(): void {
    if (!this.isIdle) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** In a microtask, because several deliveries are read from the socket in one go, and all of them should be in the first batch. */
  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      while (this.#running + this.#resting < this.#options.concurrency && this.#waiting.length > 0) void this.#lane();
    });
  }

  async #lane(): Promise<void> {
    this.#running++;
    const items = this.#take();
    await this.#run(items);
    this.#running--;
    this.#announceIdle();
    if (this.#options.restMs > 0 && !items[0]!.alone) {
      this.#resting++;
      await delay(this.#options.restMs);
      this.#resting--;
    }
    if (this.#waiting.length > 0) this.#wake();
  }

  #take(): Item[] {
    let count = 1;
    if (!this.#waiting[0]!.alone) {
      const most = Math.min(this.#options.batch, this.#waiting.length);
      while (count < most && !this.#waiting[count]!.alone) count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #run(items: Item[]): Promise<void> {
    try {
      await this.#options.run(items);
    } catch (error) {
      await this.#failed(items, error);
      return;
    }
    for (const item of items) this.#settle(item);
  }

  async #failed(items: Item[], error: unknown): Promise<void> {
    if (error instanceof BatchFailures) {
      for (const item of items) {
        const { errors } = error;
        this.#settle(item, errors.has(item.message.id) ? { error: errors.get(item.message.id) } : undefined);
      }
    } else if (items.length === 1) {
      this.#settle(items[0]!, { error });
    } else {
      this.#options.batchFailed(items.length, error);
      for (const item of items) await this.#run([item]);
    }
  }

  #settle(item: Item, failure?: { error: unknown }): void {
    const settled = this.#options.settle(item, failure).finally(() => {
      this.#settling.delete(settled);
      this.#announceIdle();
    });
    this.#settling.add(settled);
  }
}
