import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Git, GitFailed } from './git-command.js';
import { isLockConflict } from './git-failure.js';
import type { GitSource } from './git-source.js';

/** No git command here runs longer than ten minutes: an older lock file was left by one that was killed. */
const staleLockMs = 15 * 60_000;
const tidyLimitMs = 10 * 60_000;

/**
 * The bare repositories below `cacheDir`, one per project. Several processes may share the directory: git locks what it writes,
 * and what meets a lock is tried again. They can be rebuilt, but for commits that only a pipeline remembers.
 */
export class Mirrors {
  readonly #fetches = new Map<number, number>();
  readonly #newRefs = new Map<number, number>();

  constructor(
    private readonly git: Git,
    private readonly options: { cacheDir: string; limitMs: number },
  ) {}

  path(projectId: number): string {
    if (!Number.isSafeInteger(projectId) || projectId <= 0) throw new RangeError(`${projectId} is no project id`);
    return join(this.options.cacheDir, `${projectId}.git`);
  }

  /** Makes the mirror if there is none; `sha` tells the object format where it is known. */
  async ensure(projectId: number, sha?: string): Promise<void> {
    const path = this.path(projectId);
    if (await exists(join(path, 'HEAD'))) return;
    const draft = join(this.options.cacheDir, `.new-${projectId}-${randomUUID()}`);
    const format = sha?.length === 64 ? ['--object-format=sha256'] : [];
    await this.git.run({
      args: ['init', '--quiet', '--bare', '--template=', ...format, '--', draft],
      limitMs: this.options.limitMs,
    });
    try {
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      // Another process was faster.
      if (!(await exists(join(path, 'HEAD')))) throw error;
    }
  }

  /** Fetches into an existing mirror. @throws GitFailed */
  async fetch(
    projectId: number,
    source: GitSource,
    refspecs: readonly string[],
    options: { prune: boolean },
  ): Promise<void> {
    const flags = [
      '--quiet',
      '--force',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--update-shallow',
    ];
    await this.#write(
      projectId,
      [...source.settings, 'fetch', ...flags, ...(options.prune ? ['--prune'] : []), '--', source.url, ...refspecs],
      {
        ...source,
      },
    );
    const count = (this.#fetches.get(projectId) ?? 0) + 1;
    this.#fetches.set(projectId, count);
    // git itself decides whether there is anything to do.
    if (count % 100 === 1) this.#tidy(projectId, ['gc', '--auto', '--quiet']);
  }

  /** Points refs to commits that the mirror has, all or none. @throws GitFailed */
  async updateRefs(projectId: number, refs: ReadonlyMap<string, string>): Promise<void> {
    const input = [...refs].map(([ref, sha]) => `update ${ref} ${sha}\n`).join('');
    await this.#write(projectId, ['update-ref', '--stdin'], { input });
    this.#noteNewRefs(projectId, refs.size);
  }

  /**
   * Points a ref to a commit that the mirror has, as git itself does it, with a file that is its lock and becomes the ref; but without a process, which
   * costs as much as the rest of a clone's preparation.
   * @returns false where git has to do it: somebody holds the lock, there is no such mirror, or refs are not files in it
   */
  async writeRef(projectId: number, ref: string, sha: string): Promise<boolean> {
    const path = join(this.path(projectId), ref);
    if (await exists(join(this.path(projectId), 'reftable'))) return false;
    const lock = `${path}.lock`;
    try {
      await mkdir(dirname(path)).catch(ignoreExisting);
      await writeFile(lock, `${sha}\n`, { flag: 'wx', flush: true });
      await rename(lock, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST' || code === 'ENOENT') return false;
      await rm(lock, { force: true });
      throw error;
    }
    this.#noteNewRefs(projectId, 1);
    return true;
  }

  /** Whether a ref is sure to point to this commit already; for a packed one that is not looked up. */
  async pointsTo(projectId: number, ref: string, sha: string): Promise<boolean> {
    const text = await readFile(join(this.path(projectId), ref), 'latin1').catch(() => '');
    return text.trimEnd() === sha;
  }

  /** Says which branch a clone checks out. A name that is none leaves it as it was. */
  async pointHead(projectId: number, branch: string): Promise<void> {
    // Without a process where nothing is to be done.
    const head = await readFile(join(this.path(projectId), 'HEAD'), 'utf8');
    if (head.trimEnd() === `ref: refs/heads/${branch}`) return;
    const args = ['symbolic-ref', 'HEAD', `refs/heads/${branch}`];
    await this.#write(projectId, args, {}).catch((error: unknown) => {
      if (!(error instanceof GitFailed) || error.ending !== 'exit') throw error;
    });
  }

  async remove(projectId: number): Promise<void> {
    this.#fetches.delete(projectId);
    this.#newRefs.delete(projectId);
    const trash = join(this.options.cacheDir, `.removed-${projectId}-${randomUUID()}`);
    try {
      await rename(this.path(projectId), trash);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await rm(trash, { recursive: true, force: true, maxRetries: 3 });
  }

  async #write(
    projectId: number,
    args: string[],
    call: {
      input?: string;
      protocols?: string[];
      env?: Record<string, string>;
      credentials?: GitSource['credentials'];
    },
  ): Promise<void> {
    const path = this.path(projectId);
    const locks = ['-c', 'core.filesRefLockTimeout=2000', '-c', 'core.packedRefsTimeout=2000'];
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.git.run({
          args: [`--git-dir=${path}`, ...locks, ...args],
          limitMs: this.options.limitMs,
          input: call.input,
          protocols: call.protocols,
          env: call.env,
          credentials: call.credentials,
        });
        return;
      } catch (error) {
        if (attempt === 4 || !isLockConflict(error)) throw error;
        await removeStaleLocks(path);
        await delay(50 + Math.random() * 200 * attempt);
      }
    }
  }

  /** A file per pipeline would fill a directory that is read for every clone. */
  #noteNewRefs(projectId: number, added: number): void {
    const count = (this.#newRefs.get(projectId) ?? 0) + added;
    this.#newRefs.set(projectId, count % 1_000);
    if (count >= 1_000) this.#tidy(projectId, ['pack-refs', '--all']);
  }

  /** Beside everything else and in no lane: readers and writers of the mirror are not disturbed by it. */
  #tidy(projectId: number, command: string[]): void {
    const settings = ['-c', 'gc.auto=6700', '-c', 'gc.autoDetach=false'];
    const args = [`--git-dir=${this.path(projectId)}`, ...settings, ...command];
    // What it cannot do now, a later one does.
    this.git.run({ args, limitMs: tidyLimitMs }).catch(() => undefined);
  }
}

async function removeStaleLocks(mirror: string): Promise<void> {
  const before = Date.now() - staleLockMs;
  const names = await readdir(mirror);
  const refs = await readdir(join(mirror, 'refs'), { recursive: true }).catch(() => []);
  for (const name of [...names, ...refs.map((ref) => join('refs', ref))].filter((file) => file.endsWith('.lock'))) {
    const lock = join(mirror, name);
    const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < before) await rm(lock, { force: true });
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
