import { uuidv7 } from '#libs/persistence';
import type { DataSource } from 'typeorm';

const dayMs = 86_400_000;
/** Outcomes are kept for as long after their request was received. */
const keptDays = 30;
/** No outcome is as old as this one lets a request become and gone already; the day between them is for clocks that differ, and for queues. */
const decidedDays = keptDays - 1;
/** So many that a statement is far from the time that it may take, whatever else the server does. */
export const purgeBatch = 2_000;

/**
 * Whether a request is too old to be decided. Its outcome may have been purged, so that whoever decided it again could not know that it has a
 * pipeline: this is what keeps a request that is published again or replayed after a month from starting a second one.
 * @param receivedAt RFC 3339
 */
export function isTooOld(receivedAt: string, now: Date): boolean {
  return now.getTime() - Date.parse(receivedAt) > decidedDays * dayMs;
}

/** What the status URL of such a request tells. */
export const tooOldMessage = `The request was received more than ${decidedDays} days ago, which is too long ago to start a pipeline`;

/**
 * Deletes outcomes of requests that are too old to come again, the oldest first and `purgeBatch` at most. Replicas may do it at once. Ids of requests
 * sort by the time of receipt, so the primary key finds them, and no other index has to be kept.
 * @returns how many there were
 */
export async function purgeOutcomes(database: DataSource, now: Date): Promise<number> {
  const [, count] = (await database.query(
    `delete from pipelines.trigger_outcomes where request_id in (
       select request_id from pipelines.trigger_outcomes where request_id < $1
       order by request_id limit ${purgeBatch} for update skip locked)`,
    [firstId(new Date(now.getTime() - keptDays * dayMs))],
  )) as [unknown, number];
  return count;
}

/** The least id that a request received then can have. */
function firstId(at: Date): string {
  return uuidv7(at.getTime(), Buffer.alloc(10));
}
