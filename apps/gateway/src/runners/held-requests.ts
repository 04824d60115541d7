import type { JobQueued } from '#libs/contracts';

/** How often somebody who waits looks again by itself: hints may be lost (architecture.md §3). */
const lookAgainMs = 2_000;

interface Waiter {
  wake(): void;
}

/**
 * Runners' requests that found nothing wait here until a job may be there for them (runner-api.md §2.3). A hint wakes as many as there are jobs,
 * the longest waiting first, and one more for each whose tags may not fit.
 */
export class HeldRequests {
  readonly #waiting = new Set<Waiter>();

  /** Jobs wait in the queue. */
  hint(jobs: JobQueued[]): void {
    let left = jobs.length * 2;
    for (const waiter of [...this.#waiting]) {
      if (left-- === 0) break;
      waiter.wake();
    }
  }

  /**
   * Tries until something is found, the time is over or the caller has gone.
   * @returns what was found, or undefined
   */
  async hold<Found>(
    attempt: () => Promise<Found | undefined>,
    holdMs: number,
    gone: AbortSignal,
  ): Promise<Found | undefined> {
    const end = performance.now() + holdMs;
    for (;;) {
      // Listening from before the attempt on, so that a hint that comes meanwhile counts.
      const hint = this.#nextHint(Math.min(lookAgainMs, Math.max(0, end - performance.now())), gone);
      const found = await attempt();
      if (found !== undefined || gone.aborted || performance.now() >= end) {
        hint.forget();
        return found;
      }
      await hint.heard;
      if (gone.aborted) return undefined;
    }
  }

  #nextHint(limitMs: number, gone: AbortSignal): { heard: Promise<void>; forget: () => void } {
    let forget = (): void => undefined;
    const heard = new Promise<void>((resolve) => {
      const waiter: Waiter = { wake: () => forget() };
      const timer = setTimeout(() => forget(), limitMs);
      forget = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', forget);
        this.#waiting.delete(waiter);
        resolve();
      };
      gone.addEventListener('abort', forget);
      this.#waiting.add(waiter);
    });
    return { heard, forget: () => forget() };
  }
}
