interface Round<Request, Result> {
  requests: Request[];
  result: Promise<Result>;
  start(): void;
}

/**
 * Shares one slow piece of work among those who ask for it, never giving anybody an answer that is older than the question: a
 * round serves only requests that arrived before it started. Per key one round runs and one waits, so however many ask, nobody
 * waits for more than the rest of one round and a whole one (architecture.md §2.2).
 */
export class Coalescing<Request, Result> {
  /** What waits behind the round that runs; a key without an entry is idle. */
  readonly #waiting = new Map<string, Round<Request, Result> | undefined>();

  /** @param run does the work once for all these requests; its failure is everybody's failure */
  constructor(private readonly run: (key: string, requests: readonly Request[]) => Promise<Result>) {}

  ask(key: string, request: Request): Promise<Result> {
    let round = this.#waiting.get(key);
    if (round) {
      round.requests.push(request);
      return round.result;
    }
    round = this.#round(key, request);
    if (this.#waiting.has(key)) {
      this.#waiting.set(key, round);
    } else {
      this.#waiting.set(key, undefined);
      round.start();
    }
    return round.result;
  }

  #round(key: string, first: Request): Round<Request, Result> {
    const requests = [first];
    let start!: () => void;
    const result = new Promise<void>((resolve) => (start = resolve))
      .then(() => this.run(key, requests))
      .finally(() => this.#next(key));
    return { requests, result, start };
  }

  #next(key: string): void {
    const round = this.#waiting.get(key);
    if (round) {
      this.#waiting.set(key, undefined);
      round.start();
    } else {
      this.#waiting.delete(key);
    }
  }
}
