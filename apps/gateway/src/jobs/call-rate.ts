/** How a caller stands in the current minute. */
export interface Rate {
  limit: number;
  /** Calls so far, this one included. */
  observed: number;
  /** Unix time in seconds at which counting starts anew. */
  resetAt: number;
}

const windowMs = 60_000;

/** Counts calls per caller and minute, in this process. Pure but for its memory: times are arguments, in milliseconds. */
export class CallRate {
  #window = 0;
  #counts = new Map<number, number>();

  count(caller: number, limit: number, now: number): Rate {
    const window = Math.floor(now / windowMs);
    if (window !== this.#window) {
      this.#window = window;
      this.#counts = new Map();
    }
    const observed = (this.#counts.get(caller) ?? 0) + 1;
    this.#counts.set(caller, observed);
    return { limit, observed, resetAt: ((window + 1) * windowMs) / 1000 };
  }
}

/** The headers that go with a refusal (trigger-api.md §1.9); clients of GitLab read one or another of them. */
export function rateHeaders(name: string, { limit, observed, resetAt }: Rate): Record<string, string> {
  return {
    'RateLimit-Name': name,
    'RateLimit-Limit': String(limit),
    'RateLimit-Observed': String(observed),
    'RateLimit-Remaining': String(Math.max(0, limit - observed)),
    'RateLimit-Reset': String(resetAt),
    'RateLimit-ResetTime': new Date(resetAt * 1000).toUTCString(),
  };
}
