import type { Status } from '#libs/contracts';

/**
 * What can happen to a job.
 *
 *     created ──enqueue──▶ pending ──pick──▶ running ──succeed/fail──▶ success, failed
 *        │ block ▶ manual ──play──▲             └─cancel─▶ canceling ─▶ canceled
 *        │ delay ▶ scheduled ─────┘
 *        ├ wait ▶ waiting_for_resource ──acquire──▶ pending   (a job of a resource group, in place of enqueue and play)
 *        └ skip ▶ skipped ──revive──▶ created
 */
export type JobHappening =
  /** Its turn has come and it may run. */
  | 'enqueue'
  /** Its turn has come, or a person has started it, and it waits until no other job of its resource group is in progress. */
  | 'wait'
  /** No other job of its resource group is in progress. */
  | 'acquire'
  /** Its turn has come and it waits for a person. */
  | 'block'
  /** Its turn has come and it waits for a time. */
  | 'delay'
  /** What came before ended in a way it does not want; or the pipeline whose status it takes over was skipped. */
  | 'skip'
  /** What it was skipped for runs after all. */
  | 'revive'
  /** A person, or the clock, starts it. */
  | 'play'
  /** A runner took it and said so. */
  | 'pick'
  | 'succeed'
  | 'fail'
  /** Canceled, and its runner can stop in good order. */
  | 'cancel-gracefully'
  /** Canceled at once. */
  | 'cancel';

type Row = Partial<Record<JobHappening, Status>>;

/**
 * The one table of a job's life (trigger-api.md §4.3). A finished job has no row to leave by: a retry is a new job. Reports may overtake
 * each other, so a job may finish straight from `pending`. A runner that reports the end of a job that is being canceled ends it as
 * canceled (runner-api.md §3.5).
 */
const table: Record<Status, Row> = {
  created: {
    enqueue: 'pending',
    wait: 'waiting_for_resource',
    block: 'manual',
    delay: 'scheduled',
    skip: 'skipped',
    cancel: 'canceled',
  },
  waiting_for_resource: { acquire: 'pending', cancel: 'canceled' },
  preparing: { enqueue: 'pending', cancel: 'canceled', fail: 'failed' },
  waiting_for_callback: { cancel: 'canceled', fail: 'failed' },
  manual: { play: 'pending', wait: 'waiting_for_resource', cancel: 'canceled' },
  scheduled: { play: 'pending', wait: 'waiting_for_resource', cancel: 'canceled' },
  pending: { pick: 'running', succeed: 'success', fail: 'failed', cancel: 'canceled' },
  running: {
    succeed: 'success',
    fail: 'failed',
    skip: 'skipped',
    'cancel-gracefully': 'canceling',
    cancel: 'canceled',
  },
  canceling: { succeed: 'canceled', fail: 'canceled', cancel: 'canceled' },
  skipped: { revive: 'created' },
  success: {},
  failed: {},
  canceled: {},
};

/** The status that a happening leads to, or null when it is impossible in this one. */
export function nextJobStatus(status: Status, happening: JobHappening): Status | null {
  return table[status][happening] ?? null;
}

/** The statuses that a happening may leave, by the status it leads to. */
export function transitions(happening: JobHappening): { from: Status; to: Status }[] {
  return (Object.entries(table) as [Status, Row][]).flatMap(([from, row]) => {
    const to = row[happening];
    return to ? [{ from, to }] : [];
  });
}

/** Final: nothing leaves it but a retry, which is a new job. Skipped is not final, since what it was skipped for may run after all. */
export function isFinished(status: Status): boolean {
  return status === 'skipped' || Object.keys(table[status]).length === 0;
}

/** Statuses in which a job counts as in progress or waiting for it. */
export const cancelable: readonly Status[] = (Object.keys(table) as Status[]).filter(
  (status) => table[status].cancel && status !== 'manual',
);

/** Statuses after which the latest attempt of a job can be run again. */
export const retryable: readonly Status[] = ['success', 'failed', 'canceled'];
