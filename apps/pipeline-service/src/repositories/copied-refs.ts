import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describeStamp, ownDisks, settledNs, stampOf } from './file-stamps.js';

/** A path may come to mean another repository, and a mirror may be rebuilt by another process: nothing is relied upon for longer. */
const longestMs = 60_000;
/** Looking at more directories costs more than it saves. */
const mostDirectories = 500;
const mostProjects = 10_000;

/** What all branches and tags of a repository looked like. */
export interface RefsLook {
  signature: string;
}

/**
 * Knows whether all branches and tags of a repository on local disk are still what they were when the mirror got them, so that it need not fetch
 * them again for every clone. As with single refs (docs/adr/0004-refs-that-have-not-changed.md) git writes each of them as a new file that it
 * renames, which changes the directory it lies in, or writes packed-refs anew; so the times of those tell.
 */
export class CopiedRefs {
  readonly #copied = new Map<number, { signature: string; since: number }>();

  /** @returns undefined where the files cannot be relied upon: they are too young, too many, or not on a disk of this machine */
  look(gitDirectory: string): RefsLook | undefined {
    const startNs = BigInt(Date.now()) * 1_000_000n;
    try {
      if (!ownDisks.has(statfsSync(gitDirectory).type)) return undefined;
      if (stampOf(join(gitDirectory, 'commondir')) || stampOf(join(gitDirectory, 'reftable'))) return undefined;
      const directories = ['heads', 'tags'].flatMap((kind) => directoriesBelow(join(gitDirectory, 'refs', kind)));
      if (directories.length > mostDirectories) return undefined;
      const stamps = [...directories, join(gitDirectory, 'packed-refs')].map(stampOf);
      const settled = stamps.every((stamp) => !stamp || stamp.ctimeNs < startNs - settledNs);
      return settled ? { signature: stamps.map(describeStamp).join('|') } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether the mirror got what the repository looks like. */
  has(projectId: number, look: RefsLook | undefined): boolean {
    const copied = this.#copied.get(projectId);
    return copied?.signature === look?.signature && performance.now() - (copied?.since ?? -Infinity) < longestMs;
  }

  /** The mirror got what the repository looked like, or something newer. */
  note(projectId: number, { signature }: RefsLook): void {
    if (this.#copied.size >= mostProjects) this.#copied.clear();
    this.#copied.set(projectId, { signature, since: performance.now() });
  }

  /** The mirror is gone. */
  forget(projectId: number): void {
    this.#copied.delete(projectId);
  }
}

function directoriesBelow(top: string): string[] {
  if (!statSync(top, { throwIfNoEntry: false })) return [];
  const found = [top];
  for (const directory of found) {
    if (found.length > mostDirectories) break;
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) found.push(join(directory, entry.name));
      // A symbolic ref or a link is as good as the one it names, wherever that lies.
      else if (!entry.isFile()) throw new Error(`${entry.name} is no ordinary ref`);
  }
  return found;
}
