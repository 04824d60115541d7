import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { bodyTooLarge } from '#libs/contracts';

/** Bytes that were stored. */
export interface StoredBytes {
  /** What to ask for them by. */
  key: string;
  size: number;
  sha256: string;
}

/** Artifacts of jobs in a directory that all gateways share. They pass through in pieces, however large they are. */
export class ArtifactFiles {
  readonly #directory: string;

  /** @param storageUrl a directory as an absolute path or a `file:` URL */
  constructor(storageUrl: string) {
    this.#directory = join(storageUrl.startsWith('file:') ? fileURLToPath(storageUrl) : storageUrl, 'artifacts');
  }

  /**
   * Stores what comes; it is there under its key once all of it has come, and nothing is left of it when not.
   * @param limit in bytes
   * @throws Refusal 413 when there is more; whatever the stream or the disk fails with
   */
  async write(content: Readable, limit: number): Promise<StoredBytes> {
    const key = newKey();
    const path = this.path(key);
    const unfinished = `${path}.part`;
    const hash = createHash('sha256');
    let size = 0;
    const measured = new Transform({
      transform(piece: Buffer, _encoding, done) {
        size += piece.length;
        if (size > limit) return done(bodyTooLarge(limit));
        hash.update(piece);
        done(null, piece);
      },
    });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await pipeline(content, measured, createWriteStream(unfinished, { mode: 0o600, flush: true }));
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    return { key, size, sha256: hash.digest('hex') };
  }

  /** @throws Error ENOENT, from the stream, when they are not there */
  read(key: string): Readable {
    return createReadStream(this.path(key));
  }

  /** Whether the bytes are there, which a record of them does not promise. */
  async has(key: string): Promise<boolean> {
    return stat(this.path(key)).then(
      () => true,
      () => false,
    );
  }

  /** Bytes that are not there are no fault. */
  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  /** Where they are on this machine. @throws Error when the key is none of ours */
  path(key: string): string {
    if (!keyForm.test(key)) throw new Error(`${key} is no key of an artifact`);
    return join(this.#directory, key);
  }
}

const keyForm = /^[\da-f]{2}\/[\da-f-]{36}$/;

/** 256 directories, so that none grows without end. */
function newKey(): string {
  const name = randomUUID();
  return `${name.slice(0, 2)}/${name}`;
}
