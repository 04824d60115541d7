/** Statuses of jobs, in GitLab's words. */
export type Status =
  | 'created'
  | 'waiting_for_resource'
  | 'preparing'
  | 'waiting_for_callback'
  | 'pending'
  | 'running'
  | 'success'
  | 'failed'
  | 'canceling'
  | 'canceled'
  | 'skipped'
  | 'manual'
  | 'scheduled';

export interface StatusOfJob {
  status: Status;
  allowFailure: boolean;
}

const words = [
  'created',
  'waiting_for_resource',
  'preparing',
  'waiting_for_callback',
  'pending',
  'running',
  'success',
  'failed',
  'canceling',
  'canceled',
  'skipped',
  'manual',
  'scheduled',
  // A job that failed or was cancelled and may; a manual job that nobody has to play.
  'warn',
  'ignored',
] as const;

/** The statuses present in a group, one bit each: all that the status of the group depends on. */
export type StatusSet = number;

const bit = Object.fromEntries(words.map((word, index) => [word, 1 << index])) as Record<
  (typeof words)[number],
  StatusSet
>;
const harmless = bit.skipped | bit.warn | bit.ignored;

/** The set of one job, to be united with `|`. */
export function statusSet(job: StatusOfJob): StatusSet {
  if (job.allowFailure && (job.status === 'failed' || job.status === 'canceled')) return bit.warn;
  return job.allowFailure && job.status === 'manual' ? bit.ignored : bit[job.status];
}

/**
 * Status of a group of jobs: the jobs before one, a stage, a pipeline. Only the latest attempt of each job belongs in the list.
 * Null for an empty list, which counts as success. `dag`: the group are the needs of a job. Source: ci-config.md §6.2.
 */
export function compositeStatus(jobs: Iterable<StatusOfJob>, options: { dag?: boolean } = {}): Status | null {
  let set: StatusSet = 0;
  for (const job of jobs) set |= statusSet(job);
  return statusOfSet(set, options.dag ?? false);
}

/** As compositeStatus, of a set. The first line that applies decides. */
export function statusOfSet(set: StatusSet, dag: boolean): Status | null {
  const only = (allowed: StatusSet) => (set & ~allowed) === 0;
  const any = (wanted: StatusSet) => (set & wanted) !== 0;
  if (dag && any(bit.skipped | bit.ignored)) return 'skipped';
  if (set === 0) return null;
  if (only(bit.skipped | bit.ignored)) return 'skipped';
  if (only(bit.success | harmless)) return 'success';
  if (only(bit.created | bit.warn | bit.ignored)) return 'created';
  if (only(bit.preparing | bit.warn | bit.ignored)) return 'preparing';
  if (only(bit.canceled | bit.success | harmless)) return 'canceled';
  if (only(bit.pending | bit.created | harmless)) return 'pending';
  if (any(bit.running | bit.pending)) return 'running';
  for (const word of ['waiting_for_resource', 'waiting_for_callback', 'manual', 'scheduled', 'preparing'] as const)
    if (any(bit[word])) return word;
  if (any(bit.created)) return 'running';
  return any(bit.canceling) ? 'canceling' : 'failed';
}
