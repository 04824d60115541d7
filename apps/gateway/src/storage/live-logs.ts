import type { Readable } from 'node:stream';

/** What became of a piece of log: the size now, and whether the piece was taken. */
export interface Appended {
  taken: boolean;
  size: number;
}

/**
 * Logs that still grow. They are bytes: a piece may end inside a character, and every offset counts bytes (runner-api.md §4). A runner that heard no
 * answer sends a piece again, perhaps to another gateway at the same moment, so the same bytes may come twice for the same place.
 */
export interface LiveLogs {
  /** Adds a piece that begins at `start`; one that does not fit the end is not taken. Of one log never called twice at once in a process. */
  append(jobId: number, start: number, piece: Buffer): Promise<Appended>;
  /** In bytes; 0 when there is no log. */
  size(jobId: number): Promise<number>;
  /** Bytes from `start` to `end`, which counts too; they must be there. @throws NotStored, from the stream too, when the log is gone */
  read(jobId: number, start: number, end: number): Promise<Readable>;
  delete(jobId: number): Promise<void>;
}

/** A thousand logs lie together, so that no directory grows without end. */
export const logsPrefix = 'job-logs/';

/** The beginning of all keys of a job's log. */
export function logKey(jobId: number): string {
  return `${logsPrefix}${Math.floor(jobId / 1000)}/${jobId}`;
}
