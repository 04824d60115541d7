import { setTimeout as sleep } from 'node:timers/promises';

const firstPauseMs = 5;
const longestPauseMs = 50;

/** What stands for "not yet". */
type Nothing = undefined | null | false;

/**
 * Waits for a condition instead of for a time: looks again and again until there is something to see, and returns it.
 *
 * @param what is waited for, for the error
 * @param look gives undefined, null or false as long as it is not there; what it throws counts as the same, and is told in the end
 * @param limitMs generous: machines that run tests have other things to do
 * @throws Error after `limitMs`, with the last thing that went wrong
 */
export async function until<Seen>(
  what: string,
  look: () => Seen | Nothing | Promise<Seen | Nothing>,
  limitMs = 30_000,
): Promise<Exclude<Seen, Nothing>> {
  const deadline = Date.now() + limitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    let failure: unknown;
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen as Exclude<Seen, Nothing>;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for: ${what}`, { cause: failure });
    await sleep(pauseMs);
  }
}
