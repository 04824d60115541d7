import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Appended, type LiveLogs, logKey } from './live-logs.js';
import { NotStored } from './storage.js';

/** Logs that grow at the end of a file, in a directory that all gateways share. */
export class DiskLiveLogs implements LiveLogs {
  constructor(private readonly directory: string) {}

  /**
   * Written at its offset and not at the end: two gateways that get the same piece twice, because a runner repeated it, write the same bytes to the
   * same place.
   */
  async append(jobId: number, start: number, piece: Buffer): Promise<Appended> {
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

  async size(jobId: number): Promise<number> {
    try {
      return (await stat(this.#path(jobId))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }

  async read(jobId: number, start: number, end: number): Promise<Readable> {
    try {
      // Opened now, so that it can be read to its end even when it is packed meanwhile.
      const file = await open(this.#path(jobId), 'r');
      return file.createReadStream({ start, end });
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? new NotStored(logKey(jobId), { cause: error }) : error;
    }
  }

  async delete(jobId: number): Promise<void> {
    await rm(this.#path(jobId), { force: true });
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

  #path(jobId: number): string {
    return join(this.directory, `${logKey(jobId)}.log`);
  }
}
