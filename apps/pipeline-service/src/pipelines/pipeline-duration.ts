/**
 * Whole seconds during which at least one of the jobs ran: waiting for runners or people does not count, and jobs side by side count once.
 */
export function busySeconds(jobs: { startedAt: Date | null; finishedAt: Date | null }[]): number {
  const spans = jobs
    .flatMap(({ startedAt, finishedAt }) =>
      startedAt && finishedAt ? [[startedAt.getTime(), finishedAt.getTime()] as const] : [],
    )
    .sort(([a], [b]) => a - b);
  let busy = 0;
  let until = -Infinity;
  for (const [start, end] of spans) {
    busy += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return Math.round(busy / 1000);
}
