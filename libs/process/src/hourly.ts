import type { Logger } from 'pino';

const hourMs = 3_600_000;

/**
 * Does something at once and then every hour, one time after the other. What fails is told in the log and done again an hour later.
 * @param failure said when it fails
 * @returns stops it, and waits for what is under way
 */
export function hourly(failure: string, log: Logger, work: () => Promise<void>): () => Promise<void> {
  let running = Promise.resolve();
  const run = () => {
    running = running.then(work).catch((error: unknown) => log.warn({ err: error }, failure));
  };
  run();
  const timer = setInterval(run, hourMs).unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
