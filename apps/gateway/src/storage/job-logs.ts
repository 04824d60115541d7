import { pipeline, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { createGunzip, createGzip } from 'node:zlib';
import { type Appended, type LiveLogs, logKey, logsPrefix } from './live-logs.js';
import { NotStored, partOf, type Storage } from './storage.js';

/** The end of a gzip file tells the length of what is in it with so many bits; a longer log stays as it is. */
const longestPacked = 2 ** 32 - 1;
const sizeBytes = 4;
/** Of how many logs at once the pipeline service is asked. */
const asked = 500;

/** Which jobs of some are over, and which there are none of any more. */
export type FindEnded = (jobIds: number[]) => Promise<{ ended: number[]; gone: number[] }>;

/** The logs of jobs: they grow while the job runs, and are packed with gzip when it is over. All offsets count bytes of the log as it was sent. */
export class JobLogs {
  /** What is done with one log is done one after the other. */
  readonly #working = new Map<number, Promise<unknown>>();

  constructor(
    private readonly live: LiveLogs,
    private readonly storage: Storage,
  ) {}

  /** Adds a piece that begins at `start`; one that does not fit the end is not taken. */
  append(jobId: number, start: number, piece: Buffer): Promise<Appended> {
    return this.#after(jobId, () => this.live.append(jobId, start, piece));
  }

  /** Bytes stored; 0 when there is no log. */
  async size(jobId: number): Promise<number> {
    const packed = await this.#packedLength(jobId);
    // Neither may mean that it was packed between the two looks.
    return packed ?? ((await this.live.size(jobId)) || ((await this.#packedLength(jobId)) ?? 0));
  }

  /** Bytes of a log that still grows, from `start` to `end`, or of a packed one; they must be there. */
  read(jobId: number, start: number, end: number): Readable {
    return Readable.from(this.#bytes(jobId, start, end), { objectMode: false });
  }

  /** A log as it is packed, for whoever unpacks it; null when it is not. */
  async readPacked(jobId: number): Promise<{ size: number; content: Readable } | null> {
    const size = await this.storage.size(packedKey(jobId));
    return size === null ? null : { size, content: await this.storage.read(packedKey(jobId)) };
  }

  /** The last bytes of the log as text, at most so many; a character that is cut in two is lost. */
  async end(jobId: number, bytes: number): Promise<string> {
    const size = await this.size(jobId);
    if (size === 0) return '';
    return text(this.read(jobId, Math.max(0, size - bytes), size - 1));
  }

  async delete(jobId: number): Promise<void> {
    await this.#after(jobId, async () => {
      await this.live.delete(jobId);
      await this.storage.delete(packedKey(jobId));
    });
  }

  /** Packs the log of a job that is over. Whoever reads it meanwhile goes on reading. Doing it twice is no fault. */
  async pack(jobId: number): Promise<void> {
    await this.#after(jobId, async () => {
      const size = await this.live.size(jobId);
      if (size === 0 || size > longestPacked) return;
      const packed = createGzip();
      // What goes wrong with either of them ends both, and whoever stores it hears of it.
      pipeline(await this.live.read(jobId, 0, size - 1), packed, () => undefined);
      await this.storage.write(packedKey(jobId), packed);
      await this.live.delete(jobId);
    });
  }

  /**
   * Packs what was left unpacked, since a gateway ended or no runner reported the end, and deletes the logs of jobs that there are none of any more.
   * @param all also look at those that are packed, of which there may be very many
   */
  async tidy(findEnded: FindEnded, all: boolean): Promise<{ packed: number; deleted: number }> {
    const done = { packed: 0, deleted: 0 };
    let jobIds = new Set<number>();
    const look = async () => {
      const { ended, gone } = await findEnded([...jobIds]);
      jobIds = new Set();
      for (const jobId of ended) await this.pack(jobId);
      for (const jobId of gone) await this.delete(jobId);
      done.packed += ended.length;
      done.deleted += gone.length;
    };
    for await (const key of this.storage.list(logsPrefix)) {
      const [, jobId] = /^job-logs\/\d+\/(\d+)[./]/.exec(key) ?? [];
      if (jobId && (all || !key.endsWith(packedSuffix))) jobIds.add(Number(jobId));
      if (jobIds.size >= asked) await look();
    }
    if (jobIds.size > 0) await look();
    return done;
  }

  /** Resolves when nothing is written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#working.values());
  }

  #after<Result>(jobId: number, work: () => Promise<Result>): Promise<Result> {
    const before = this.#working.get(jobId) ?? Promise.resolve();
    const done = before.catch(() => undefined).then(work);
    this.#working.set(jobId, done);
    void done
      .catch(() => undefined)
      .finally(() => {
        if (this.#working.get(jobId) === done) this.#working.delete(jobId);
      });
    return done;
  }

  async *#bytes(jobId: number, start: number, end: number): AsyncIterable<Buffer> {
    let position = start;
    const packed = () => this.#unpacked(jobId, position, end);
    // Packed, or not yet, or packed while it was read.
    for (const open of [packed, () => this.live.read(jobId, position, end), packed]) {
      try {
        for await (const piece of await open()) {
          position += (piece as Buffer).length;
          yield piece as Buffer;
        }
        if (position > end) return;
      } catch (error) {
        if (!(error instanceof NotStored)) throw error;
      }
    }
    throw new NotStored(logKey(jobId));
  }

  async #unpacked(jobId: number, start: number, end: number): Promise<Readable> {
    const packed = await this.storage.read(packedKey(jobId));
    const unpacked = createGunzip();
    pipeline(packed, unpacked, () => undefined);
    return Readable.from(partOf(unpacked, start, end), { objectMode: false });
  }

  /** Of the log, unpacked; null when it is not packed. */
  async #packedLength(jobId: number): Promise<number | null> {
    const key = packedKey(jobId);
    const size = await this.storage.size(key);
    if (size === null) return null;
    return (await buffer(await this.storage.read(key, size - sizeBytes, size - 1))).readUInt32LE();
  }
}

const packedSuffix = '.log.gz';

function packedKey(jobId: number): string {
  return `${logKey(jobId)}${packedSuffix}`;
}
