import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for a condition instead of for a time. Fails with what it waited for after `limitMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await sleep(5);
  }
}
