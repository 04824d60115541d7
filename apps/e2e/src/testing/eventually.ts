import { setTimeout as delay } from 'node:timers/promises';

const betweenLooksMs = 40;

/**
 * Looks again and again until there is something to see, and returns it.
 *
 * @param what is waited for, for the error
 * @param look gives undefined, null or false as long as it is not there; what it throws counts as the same, and is told in the end
 * @throws Error after `limitMs`, with the last thing that went wrong
 */
export async function eventually<Seen>(
  what: string,
  look: () => Seen | undefined | null | false | Promise<Seen | undefined | null | false>,
  limitMs = 20_000,
): Promise<Seen> {
  const deadline = Date.now() + limitMs;
  let failure: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`, { cause: failure });
    await delay(betweenLooksMs);
  }
}
