import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NotStored, Storage } from './storage.js';

const unfinishedEnding = '.part';

/** A directory that all gateways share. */
export class DiskStorage extends Storage {
  /** @param directory absolute; made with the first object */
  constructor(readonly directory: string) {
    super();
  }

  async write(key: string, content: Readable): Promise<void> {
    const path = this.#path(key);
    // Of this writer alone, should another one store the same.
    const unfinished = `${path}.${randomUUID()}${unfinishedEnding}`;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await pipeline(content, createWriteStream(unfinished, { mode: 0o600, flush: true }));
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
  }

  async read(key: string, start?: number, end?: number): Promise<Readable> {
    try {
      // Opened now, so that it can be read to its end even when it is deleted meanwhile.
      const file = await open(this.#path(key), 'r');
      return file.createReadStream({ start, end });
    } catch (error) {
      throw isMissing(error) ? new NotStored(key, { cause: error }) : error;
    }
  }

  async address(): Promise<null> {
    return null;
  }

  async size(key: string): Promise<number | null> {
    try {
      return (await stat(this.#path(key))).size;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async *list(prefix: string): AsyncIterable<string> {
    for await (const name of this.#files(prefix)) if (!name.endsWith(unfinishedEnding)) yield name;
  }

  async *storedBefore(prefix: string, time: Date): AsyncIterable<string> {
    for await (const name of this.#files(prefix)) {
      // It may have gone since.
      const found = await stat(join(this.directory, name)).catch(() => undefined);
      if (!found || found.mtime >= time) continue;
      if (name.endsWith(unfinishedEnding)) await rm(join(this.directory, name), { force: true });
      else yield name;
    }
  }

  /** Whole objects and unfinished ones. */
  async *#files(prefix: string): AsyncIterable<string> {
    for (const entry of await readdir(this.#path(prefix), { withFileTypes: true }).catch(noneWhereMissing)) {
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory()) yield* this.#files(`${name}/`);
      else yield name;
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  /** @throws Error for a key that would lead out of the directory */
  #path(key: string): string {
    if (!/^[\w-][\w./-]*$/.test(key) || key.split('/').includes('..')) throw new Error(`${key} is no key of ours`);
    return join(this.directory, key.replaceAll('/', sep));
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function noneWhereMissing(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}
