import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a killed runner was writing is swept after so long. */
const ABANDONED_MS = 24 * 60 * 60_000;

interface StoredArchive {
  path: string;
  bytes: number;
  usedAt: number;
}

/**
 * Archives of caches on local disk, one file for each key of a project. A file appears whole or not at all, so jobs and runner
 * processes may share the directory. When all together exceed the limit, those go that were not used for the longest time.
 */
export class CacheStore {
  /** @param limitBytes that all archives together may take */
  constructor(
    private readonly directory: string,
    private readonly limitBytes: number,
  ) {}

  /** Where the archive of a key lies or would lie. Keys are any text; they name files by their digest. @param scope of keys: a project */
  locate(scope: string, key: string): string {
    const readable = key.replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 60);
    const digest = createHash('sha256').update(key).digest('hex').slice(0, 24);
    return join(this.directory, scope, `${readable}-${digest}.zip`);
  }

  /** Notes that an archive was used just now. @returns false where there is none */
  async touch(path: string): Promise<boolean> {
    const now = new Date();
    return utimes(path, now, now).then(
      () => true,
      () => false,
    );
  }

  /** Keeps an archive in place of the one that is there, then makes room. @throws when it cannot be written or is too large */
  async keep(path: string, content: Readable, signal: AbortSignal): Promise<void> {
    const draft = `${path}.${randomBytes(8).toString('hex')}.draft`;
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    try {
      await pipeline(content, createWriteStream(draft, { mode: 0o600, flags: 'wx', flush: true }), { signal });
      const { size } = await stat(draft);
      if (size > this.limitBytes)
        throw new Error(`it has ${size} bytes, and all caches together may have ${this.limitBytes}`);
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
    await this.makeRoom(Date.now());
  }

  private async makeRoom(now: number): Promise<void> {
    const archives = await this.list(now);
    let total = archives.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes } of archives.sort((a, b) => a.usedAt - b.usedAt)) {
      if (total <= this.limitBytes) return;
      await rm(path, { force: true });
      total -= bytes;
    }
  }

  private async list(now: number): Promise<StoredArchive[]> {
    const archives: StoredArchive[] = [];
    for (const entry of await readdir(this.directory, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      // Another runner may take it away at the same time.
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) continue;
      if (entry.name.endsWith('.zip')) archives.push({ path, bytes: found.size, usedAt: found.mtimeMs });
      else if (entry.name.endsWith('.draft') && found.mtimeMs < now - ABANDONED_MS) await rm(path, { force: true });
    }
    return archives;
  }
}
