import type { Job } from '#libs/ci-config';

/**
 * What the language knows and this server does not do, in the words of the other refusals; null when there is nothing of it. A job that went
 * without would not do what its author means: there are no releases here that one could make.
 */
export function unsupportedIn(jobs: readonly Job[]): string | null {
  const job = jobs.find(({ options }) => options.release);
  return job ? `jobs:${job.name} release is not supported by this server` : null;
}
