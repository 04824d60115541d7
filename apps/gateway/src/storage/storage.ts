import type { Readable } from 'node:stream';

/**
 * Where logs and artifacts lie, for all gateways alike: a directory or a bucket. Bytes pass through in pieces, however many there are. Keys are our
 * own, never a user's: parts of letters, digits, `.`, `-` with slashes between them.
 */
export abstract class Storage {
  /** Stores what comes; it is there under its key once all of it has come, and nothing is left of it when not. @throws whatever `content` fails with */
  abstract write(key: string, content: Readable): Promise<void>;

  /**
   * Bytes from `start` to `end`, which counts too; all of them unless told.
   * @throws NotStored when there is nothing under this key
   */
  abstract read(key: string, start?: number, end?: number): Promise<Readable>;

  /**
   * An address at which anybody can get the bytes for some minutes, past the gateway; null where there is none.
   * @param filename what they are to be saved as
   */
  abstract address(key: string, filename: string): Promise<string | null>;

  /** In bytes; null when there is nothing under this key. */
  abstract size(key: string): Promise<number | null>;

  /** The keys that begin with `prefix`, which ends with a slash; in no order. */
  abstract list(prefix: string): AsyncIterable<string>;

  /** Those of these keys under which something was stored before a time. What somebody began to store before it and never finished goes, where we would see it. */
  abstract storedBefore(prefix: string, time: Date): AsyncIterable<string>;

  /** What is not there is no fault. */
  abstract delete(key: string): Promise<void>;
}

/** There is nothing under the key. */
export class NotStored extends Error {
  override readonly name = 'NotStored';

  constructor(key: string, options?: ErrorOptions) {
    super(`nothing is stored as ${key}`, options);
  }
}

/** The bytes from `start` to `end`, which counts too, of a stream that begins before them. */
export async function* partOf(whole: AsyncIterable<Buffer>, start: number, end: number): AsyncIterable<Buffer> {
  let position = 0;
  for await (const piece of whole) {
    const wanted = piece.subarray(Math.max(0, start - position), Math.max(0, end + 1 - position));
    if (wanted.length > 0) yield wanted;
    position += piece.length;
    if (position > end) return;
  }
}
