/** Waits for the promise, but not longer than the given milliseconds; true if it came in time. A rejection counts as having come. */
export async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long a shutdown waits for running handlers and open confirms, in milliseconds (below the 30 s that orchestrators give). */
export const DRAIN_LIMIT_MS = 10_000;

/** How long a shutdown waits for the broker's answer to a command, in milliseconds; one that answers at all does so in a few. */
export const BROKER_LIMIT_MS = 2_000;
