import type { JobOutline, RunnerReach } from '#libs/contracts';
import { reaches } from './runner-reach.js';

/** How often jobs are looked for that nobody told of: hints may be lost (architecture.md §3). */
const lookAgainMs = 2_000;

/** More than these are answered without waiting, and ask again by their runner's own interval. */
export const mostHeld = 2_000;

/** What one attempt came to; without a find, what the runner may take. */
export type Attempt<Found> = { found: Found } | { reach: RunnerReach };

interface Held {
  /** Unknown until the first attempt has told. */
  reach: RunnerReach | undefined;
  /** Set while the request waits and does not ask. */
  wake: (() => void) | undefined;
  /** A job came while it was asking. */
  again: boolean;
}

/**
 * Runners' requests that found nothing wait here until a job may be there for them (runner-api.md §2.3). Each job wakes one request whose runner may
 * take it, the longest waiting first, so that a job is not asked for by everybody. One look at the queue serves all that wait.
 */
export class HeldRequests {
  readonly #held = new Set<Held>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #stopped = false;

  /** @param look asks for the jobs in the queue */
  constructor(private readonly look: () => Promise<(JobOutline & { count: number })[]>) {}

  /** How many there are. */
  get size(): number {
    return this.#held.size;
  }

  /** A job waits in the queue, or some of one kind. */
  hint(job: JobOutline, count = 1): void {
    let left = count;
    const fitting = [...this.#held].filter(({ reach }) => !reach || reaches(reach, job));
    for (const held of fitting) {
      if (left === 0) return;
      if (!held.wake) continue;
      held.wake();
      left -= 1;
    }
    // Those that ask at this moment may have asked too early.
    for (const held of fitting) {
      if (left === 0) return;
      if (held.again || held.wake) continue;
      held.again = true;
      left -= 1;
    }
  }

  /**
   * Tries until something is found, the time is over or the caller has gone.
   * @returns what was found, or undefined; the caller may have gone all the same
   * @throws whatever an attempt throws
   */
  async hold<Found>(
    attempt: () => Promise<Attempt<Found>>,
    holdMs: number,
    gone: AbortSignal,
  ): Promise<Found | undefined> {
    const end = performance.now() + (this.#held.size < mostHeld ? holdMs : 0);
    const held: Held = { reach: undefined, wake: undefined, again: false };
    this.#held.add(held);
    try {
      for (;;) {
        held.again = false;
        const result = await attempt();
        if ('found' in result) return result.found;
        held.reach = result.reach;
        if (held.again && !gone.aborted && !this.#stopped) continue;
        if (!(await this.#isWoken(held, end - performance.now(), gone))) return undefined;
      }
    } finally {
      this.#held.delete(held);
      if (this.#held.size === 0) this.#rest();
    }
  }

  /** Lets everybody go, and holds nobody any more. */
  stop(): void {
    this.#stopped = true;
    for (const { wake } of this.#held) wake?.();
  }

  /** Waits. @returns false when there is nothing more to wait for */
  async #isWoken(held: Held, limitMs: number, gone: AbortSignal): Promise<boolean> {
    if (limitMs <= 0 || gone.aborted || this.#stopped) return false;
    this.#timer ??= setInterval(() => void this.#lookAgain(), lookAgainMs).unref();
    let over = false;
    await new Promise<void>((resolve) => {
      const end = () => {
        held.wake = undefined;
        clearTimeout(timer);
        gone.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(() => {
        over = true;
        end();
      }, limitMs);
      gone.addEventListener('abort', end);
      held.wake = end;
    });
    return !over && !gone.aborted && !this.#stopped;
  }

  async #lookAgain(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const { count, ...job } of await this.look()) this.hint(job, count);
    } catch {
      // The next look is soon; whoever asks for a job meanwhile hears what is wrong.
    } finally {
      this.#looking = false;
    }
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
