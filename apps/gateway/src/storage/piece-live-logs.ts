import { Readable } from 'node:stream';
import { forgetOldest } from '../forget-oldest.js';
import { type Appended, type LiveLogs, logKey } from './live-logs.js';
import type { Storage } from './storage.js';

/** A piece under a key that tells where it begins and how long it is. */
interface Piece {
  key: string;
  start: number;
  end: number;
}

/** Ends of logs that this gateway remembers, so that it need not list the pieces each time. */
const remembered = 10_000;
const digits = 15;

/**
 * Logs that grow piece by piece, each an object of its own, since objects of S3 cannot be added to. The keys tell their place, so that whoever
 * stores a piece twice stores the same object, and pieces that overlap hold the same bytes where they do.
 */
export class PieceLiveLogs implements LiveLogs {
  readonly #ends = new Map<number, number>();

  constructor(private readonly storage: Storage) {}

  async append(jobId: number, start: number, piece: Buffer): Promise<Appended> {
    // What is remembered may be too small when another gateway took pieces meanwhile; then this one comes a second time.
    if (this.#ends.get(jobId) !== start) {
      const size = await this.size(jobId);
      if (start !== size) return { taken: false, size };
    }
    const size = start + piece.length;
    if (piece.length > 0)
      await this.storage.write(`${logKey(jobId)}/${padded(start)}-${piece.length}`, Readable.from([piece]));
    this.#ends.delete(jobId);
    this.#ends.set(jobId, size);
    forgetOldest(this.#ends, remembered);
    return { taken: true, size };
  }

  async size(jobId: number): Promise<number> {
    return (await this.#pieces(jobId)).at(-1)?.end ?? 0;
  }

  async read(jobId: number, start: number, end: number): Promise<Readable> {
    const wanted = (await this.#pieces(jobId)).filter((piece) => piece.end > start && piece.start <= end);
    return Readable.from(this.#bytes(wanted, start, end), { objectMode: false });
  }

  async delete(jobId: number): Promise<void> {
    this.#ends.delete(jobId);
    const keys: string[] = [];
    for await (const key of this.storage.list(`${logKey(jobId)}/`)) keys.push(key);
    // The first one first: without it there is no log, rather than half of one.
    for (const key of keys.sort()) await this.storage.delete(key);
  }

  async *#bytes(pieces: Piece[], start: number, end: number): AsyncIterable<Buffer> {
    let position = start;
    for (const piece of pieces) {
      if (position > end) return;
      const last = Math.min(piece.end - 1, end);
      yield* await this.storage.read(piece.key, position - piece.start, last - piece.start);
      position = last + 1;
    }
  }

  /** Those that make up the log without a gap, in order; of two that begin at one place the longer one. */
  async #pieces(jobId: number): Promise<Piece[]> {
    const found: Piece[] = [];
    for await (const key of this.storage.list(`${logKey(jobId)}/`)) {
      const [, start, length] = /\/(\d+)-(\d+)$/.exec(key) ?? [];
      if (start && length) found.push({ key, start: Number(start), end: Number(start) + Number(length) });
    }
    found.sort((one, other) => one.start - other.start || other.end - one.end);
    const pieces: Piece[] = [];
    let end = 0;
    for (const piece of found) {
      if (piece.start > end) break;
      if (piece.end > end) pieces.push(piece);
      end = Math.max(end, piece.end);
    }
    return pieces;
  }
}

function padded(start: number): string {
  return String(start).padStart(digits, '0');
}
