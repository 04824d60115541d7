import { createHash, randomUUID } from 'node:crypto';
import { pipeline, type Readable, Transform } from 'node:stream';
import { artifactTooLarge } from '#libs/contracts';
import type { Storage } from './storage.js';

/** Bytes that were stored. */
export interface StoredBytes {
  /** What to ask for them by. */
  key: string;
  size: number;
  sha256: string;
}

/** Artifacts of jobs. They pass through in pieces, however large they are. */
export class ArtifactFiles {
  constructor(private readonly storage: Storage) {}

  /**
   * Stores what comes; it is there under its key once all of it has come, and nothing is left of it when not.
   * @param limit in bytes
   * @throws Refusal 413 when there is more; whatever the stream or the storage fails with
   */
  async write(content: Readable, limit: number): Promise<StoredBytes> {
    const key = newKey();
    const hash = createHash('sha256');
    let size = 0;
    const measured = new Transform({
      transform(piece: Buffer, _encoding, done) {
        size += piece.length;
        if (size > limit) return done(artifactTooLarge(limit));
        hash.update(piece);
        done(null, piece);
      },
    });
    pipeline(content, measured, () => undefined);
    await this.storage.write(storageKey(key), measured);
    return { key, size, sha256: hash.digest('hex') };
  }

  /** Bytes from `start` to `end`, which counts too; all of them unless told. @throws NotStored */
  read(key: string, start?: number, end?: number): Promise<Readable> {
    return this.storage.read(storageKey(key), start, end);
  }

  /** Where anybody can get them for some minutes; null where the gateway has to give them. */
  address(key: string, filename: string): Promise<string | null> {
    return this.storage.address(storageKey(key), filename);
  }

  /** In bytes; null when they are not there, which a record of them does not promise. */
  size(key: string): Promise<number | null> {
    return this.storage.size(storageKey(key));
  }

  /** Bytes that are not there are no fault. */
  async delete(key: string): Promise<void> {
    await this.storage.delete(storageKey(key));
  }

  /** Keys of what was stored before a time; what was never finished since then goes. */
  async *storedBefore(time: Date): AsyncIterable<string> {
    for await (const name of this.storage.storedBefore(directory, time)) {
      const key = name.slice(directory.length);
      if (keyForm.test(key)) yield key;
    }
  }
}

const directory = 'artifacts/';
const keyForm = /^[\da-f]{2}\/[\da-f-]{36}$/;

/** @throws Error when the key is none of ours */
function storageKey(key: string): string {
  if (!keyForm.test(key)) throw new Error(`${key} is no key of an artifact`);
  return `${directory}${key}`;
}

/** 256 directories, so that none grows without end. */
function newKey(): string {
  const name = randomUUID();
  return `${name.slice(0, 2)}/${name}`;
}
