import { unavailable } from '#libs/contracts';

interface Waiting<Key, Value> {
  key: Key;
  resolve(value: Value | undefined): void;
  reject(error: unknown): void;
}

/**
 * Joins concurrent look-ups into one query. A look-up is only ever answered by a query that started after it arrived, so nothing is ever
 * out of date: one query runs, the look-ups that arrive meanwhile wait together for the next (architecture.md §2.2).
 */
export class SharedRead<Key, Value> {
  readonly #read: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>;
  readonly #limitMs: number;
  #waiting: Waiting<Key, Value>[] = [];
  #running = false;

  /**
   * @param read answers those keys it finds
   * @param limitMs how long a query may take before those who wait are refused with 503 and the next query starts
   */
  constructor(read: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>, limitMs = 5_000) {
    this.#read = read;
    this.#limitMs = limitMs;
  }

  /**
   * @throws Refusal 503 when the query takes too long, or whatever it fails with
   */
  get(key: Key): Promise<Value | undefined> {
    const answer = new Promise<Value | undefined>((resolve, reject) => this.#waiting.push({ key, resolve, reject }));
    if (!this.#running) void this.#run();
    return answer;
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Look-ups of the same turn of the event loop share the first query.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const found = await this.#limited([...new Set(batch.map(({ key }) => key))]);
        for (const { key, resolve } of batch) resolve(found.get(key));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  async #limited(keys: Key[]): Promise<ReadonlyMap<Key, Value>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unavailable()), this.#limitMs);
    });
    try {
      return await Promise.race([this.#read(keys), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
