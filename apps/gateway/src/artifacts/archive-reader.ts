import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { RandomAccessReader } from 'yauzl';

/** An index is read in many small pieces; so much is fetched at once. In bytes. */
const blockSize = 262_144;

/** Lets a zip archive be read out of the storage, piece by piece. */
export class ArchiveReader extends RandomAccessReader {
  /** Why the storage did not give what it has; nothing else that goes wrong is its fault. */
  failure: unknown;
  #block: { start: number; bytes: Buffer } | undefined;

  /**
   * @param readRange bytes from `start` to `end`, which counts too
   * @param size of the archive
   */
  constructor(
    private readonly readRange: (start: number, end: number) => Promise<Readable>,
    readonly size: number,
  ) {
    super();
  }

  override read(
    into: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#fetch(position, length).then((bytes) => {
      bytes.copy(into, offset);
      callback(bytes.length < length ? new Error('the archive ends early') : null);
    }, callback);
  }

  /** @param end does not count */
  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#pieces(start, end), { objectMode: false });
  }

  async #fetch(position: number, length: number): Promise<Buffer> {
    const known = this.#block;
    if (known && position >= known.start && position + length <= known.start + known.bytes.length)
      return known.bytes.subarray(position - known.start, position - known.start + length);
    const bytes = await buffer(this.#pieces(position, position + Math.max(length, blockSize)));
    this.#block = { start: position, bytes };
    return bytes.subarray(0, length);
  }

  async *#pieces(start: number, end: number): AsyncIterable<Buffer> {
    // A broken archive may point to behind its end.
    const last = Math.min(end, this.size) - 1;
    if (start < 0 || last < start) return;
    try {
      yield* await this.readRange(start, last);
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
