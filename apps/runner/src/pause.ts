import { setTimeout as delay } from 'node:timers/promises';

/** Waits; an aborted signal ends the wait early and without an error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
