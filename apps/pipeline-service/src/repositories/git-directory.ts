import { lstat, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { RepositoryUnreadable } from './repository-errors.js';

/** Whether a path lies below a directory, by name alone. */
export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}

/**
 * The real path of the git directory of a repository on local disk, bare or with a working tree. git is given this path rather than
 * left to search, since it would climb into a repository around the given one.
 * @param options.cacheDir where the mirrors of all projects lie: what is not itself below it must not lead there
 * @throws RepositoryUnreadable when there is none, when it may not be read, or when the file system does not answer in `limitMs`
 */
export async function locateGitDirectory(
  path: string,
  options: { cacheDir: string; limitMs: number },
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    const reason = `the file system gave no answer within ${options.limitMs / 1000} s`;
    timer = setTimeout(() => reject(new RepositoryUnreadable({ transient: true, reason })), options.limitMs);
  });
  try {
    return await Promise.race([locate(path, options.cacheDir), limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function locate(path: string, cacheDir: string): Promise<string> {
  let refused = false;
  for (const candidate of [join(path, '.git'), path, `${path}.git`]) {
    try {
      // A `.git` that is a file (worktree, submodule) names the directory; git reads it.
      if ((await stat(candidate)).isDirectory()) await lstat(join(candidate, 'HEAD'));
      else if (candidate === path) continue;
      const found = await realpath(candidate);
      if (isBelow(path, cacheDir) || !isBelow(found, await realpath(cacheDir))) return found;
      refused = true;
    } catch (error) {
      refused ||= (error as NodeJS.ErrnoException).code === 'EACCES';
    }
  }
  throw new RepositoryUnreadable({
    transient: false,
    reason: refused ? 'access to this path is refused' : 'there is no git repository at this address',
  });
}
