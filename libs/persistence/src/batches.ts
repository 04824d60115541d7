export interface BatchOptions {
  /** The most items in one batch. */
  limit?: number;
  /** How many batches may run at once. */
  lanes?: number;
  /** Whether an item can be to blame for an error, so that the others are worth another try. */
  blame?: (error: unknown) => boolean;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Lets many callers share one statement and one commit. While a batch runs, what arrives waits for the next one; nothing lingers for
 * company, so a lone caller pays nothing. A caller's item is only ever in a batch that started after the caller asked, so a shared read is
 * never older than the question.
 *
 * A batch that fails because of one of its items is run again item by item, so that the bad one fails alone. That needs work that has no
 * effect when it fails, such as a transaction.
 */
export class Batches<Item, Result> {
  readonly #work: (items: Item[]) => Promise<Result[]>;
  readonly #limit: number;
  readonly #lanes: number;
  readonly #blame: (error: unknown) => boolean;
  #waiting: Waiting<Item, Result>[] = [];
  #running = 0;
  #idle: (() => void)[] = [];

  /**
   * @param work gets one or more items and gives one result for each, in their order
   */
  constructor(
    work: (items: Item[]) => Promise<Result[]>,
    { limit = 100, lanes = 1, blame = () => true }: BatchOptions = {},
  ) {
    this.#work = work;
    this.#limit = limit;
    this.#lanes = lanes;
    this.#blame = blame;
  }

  /** How many items wait for a batch. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with the item's own result. @throws what `work` throws for this item */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#running < this.#lanes) void this.#run();
    });
  }

  /** Resolves once nothing waits and nothing runs. */
  async drained(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    this.#running += 1;
    // Callers whose requests were read from their sockets in the same turn of the event loop share the first batch.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#limit);
      await this.#try(batch);
    }
    this.#running -= 1;
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #try(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#work(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index] as Result));
    } catch (error) {
      if (batch.length > 1 && this.#blame(error)) for (const one of batch) await this.#try([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
