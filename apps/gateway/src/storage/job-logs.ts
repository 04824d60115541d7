import { constants, createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** What became of a piece of log: the size now, and whether the piece was taken. */
export interface Appended {
  taken: boolean;
  size: number;
}

/**
 * Logs of jobs in a directory that all gateways share. They are bytes: a piece may end inside a character, and every offset counts bytes
 * (runner-api.md §4).
 */
export class JobLogs {
  readonly #directory: string;
  /** Pieces of one log are written one after the other. */
  readonly #writing = new Map<number, Promise<unknown>>();

  /** @param storageUrl a directory as an absolute path or a `file:` URL */
  constructor(storageUrl: string) {
    this.#directory = join(storageUrl.startsWith('file:') ? fileURLToPath(storageUrl) : storageUrl, 'job-logs');
  }

  /** Adds a piece that begins at `start`; one that does not fit the end is not taken. */
  append(jobId: number, start: number, piece: Buffer): Promise<Appended> {
    const before = this.#writing.get(jobId) ?? Promise.resolve();
    const written = before.catch(() => undefined).then(() => this.#write(jobId, start, piece));
    this.#writing.set(jobId, written);
    void written
      .catch(() => undefined)
      .finally(() => {
        if (this.#writing.get(jobId) === written) this.#writing.delete(jobId);
      });
    return written;
  }

  /** Bytes stored; 0 when there is no log. */
  async size(jobId: number): Promise<number> {
    try {
      return (await stat(this.#path(jobId))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  /** The log from a byte on, as far as there is one. */
  read(jobId: number, start: number, end: number): Readable {
    return createReadStream(this.#path(jobId), { start, end });
  }

  /** The last bytes of the log as text, at most so many; a character that is cut in two is lost. */
  async end(jobId: number, bytes: number): Promise<string> {
    const size = await this.size(jobId);
    if (size === 0) return '';
    return text(this.read(jobId, Math.max(0, size - bytes), size - 1));
  }

  async delete(jobId: number): Promise<void> {
    await rm(this.#path(jobId), { force: true });
  }

  /**
   * Written at its offset and not at the end: two gateways that get the same piece twice, because a runner repeated it, write the same bytes to the
   * same place.
   */
  async #write(jobId: number, start: number, piece: Buffer): Promise<Appended> {
    const file = await this.#open(jobId);
    try {
      const { size } = await file.stat();
      if (start !== size) return { taken: false, size };
      for (let written = 0; written < piece.length;)
        written += (await file.write(piece, written, piece.length - written, start + written)).bytesWritten;
      return { taken: true, size: size + piece.length };
    } finally {
      await file.close();
    }
  }

  async #open(jobId: number): Promise<FileHandle> {
    const path = this.#path(jobId);
    const flags = constants.O_RDWR | constants.O_CREAT;
    try {
      return await open(path, flags, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return open(path, flags, 0o600);
    }
  }

  /** A thousand logs in a directory, so that none grows without end. */
  #path(jobId: number): string {
    return join(this.#directory, String(Math.floor(jobId / 1000)), `${jobId}.log`);
  }
}
