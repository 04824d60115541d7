import { createHash } from 'node:crypto';
import { type Cache, compileGlob } from '#libs/ci-config';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

/** What a key may be computed from: files as they are at the commit of the pipeline. */
export interface CommittedFiles {
  list(): Promise<string[]>;
  /** Ids of contents, null where there is no such file. */
  blobIds(paths: string[]): Promise<(string | null)[]>;
  /** The last commit that changed it, null where there is no such file. */
  lastChange(path: string): Promise<string | null>;
}

/** A runner waits for its job meanwhile. In milliseconds. */
const historyLimitMs = 2_000;
/** Comparing them with a pattern takes half a second. */
const mostFiles = 100_000;

export function filesAt(repositories: Repositories, address: RepositoryAddress, sha: string): CommittedFiles {
  return {
    list: () => repositories.listFiles(address, sha),
    blobIds: (paths) => repositories.blobIds(address, sha, paths),
    lastChange: (path) => repositories.lastChange(address, sha, path, historyLimitMs),
  };
}

/**
 * The keys of those caches that have `key:files` (of the files' contents) or `key:files_commits` (of the commits that changed them last), as GitLab
 * computes them: a SHA-1 of the sorted ids, `default` where no file is there, after the prefix. Without a prefix the cache's place and the files'
 * names stand before it, so that two caches of a job differ.
 *
 * @returns null for caches with another key, and where there are more files than patterns can be compared with
 * @throws whatever reading the files fails with
 */
export function cacheKeys(caches: readonly Cache[], files: CommittedFiles): Promise<(string | null)[]> {
  return Promise.all(
    caches.map(async ({ key }, index) => {
      if (typeof key !== 'object') return null;
      const digest = key.files ? await ofContents(key.files, files) : await ofChanges(key.filesCommits ?? [], files);
      if (digest === null) return null;
      return `${key.prefix || usualPrefix(index, key.files)}-${digest}`;
    }),
  );
}

function usualPrefix(index: number, paths: readonly string[] | undefined): string {
  const names = (paths ?? []).map((path) => path.split('.')[0]?.replace(/[^\w-]/g, '_') ?? '');
  return paths ? `${index}_${names.join('_')}` : String(index);
}

async function ofContents(patterns: readonly string[], files: CommittedFiles): Promise<string | null> {
  let paths = patterns.filter((pattern) => !pattern.includes('*'));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map(compileGlob);
  if (globs.length > 0) {
    const all = await files.list();
    if (all.length > mostFiles) return null;
    paths = [...paths, ...all.filter((path) => globs.some((matches) => matches(path)))];
  }
  return digest(await files.blobIds([...new Set(paths)]));
}

async function ofChanges(paths: readonly string[], files: CommittedFiles): Promise<string> {
  return digest(await Promise.all([...new Set(paths)].map((path) => files.lastChange(path))));
}

function digest(ids: (string | null)[]): string {
  const known = [...new Set(ids.filter((id) => id !== null))].sort();
  return known.length === 0 ? 'default' : createHash('sha1').update(known.join('-')).digest('hex');
}
