import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 1_000;

/**
 * Does what must not be given up (setting a failed message aside before it is acknowledged): tries once a second until it succeeds or the signal says stop.
 * @param failed told about each failure
 * @returns whether it succeeded
 */
export async function insist(
  action: () => Promise<void>,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): Promise<boolean> {
  while (!signal.aborted) {
    try {
      await action();
      return true;
    } catch (error) {
      failed(error);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
}
