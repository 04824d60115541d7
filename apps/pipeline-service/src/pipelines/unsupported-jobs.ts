import type { Job } from '#libs/ci-config';

/**
 * What the language knows and this server does not do yet, in the words of the other refusals; null when there is nothing of it. A job that went
 * without would not do what its author means.
 */
export function unsupportedIn(jobs: readonly Job[]): string | null {
  for (const job of jobs) {
    const keywords = [job.pipelineNeeds && 'needs:pipeline:job', job.options.release && 'release'].filter(
      (keyword) => keyword !== undefined,
    );
    if (keywords.length > 0) return `jobs:${job.name} ${keywords.join(', ')} is not supported by this server`;
  }
  return null;
}
