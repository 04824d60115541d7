import { readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { describeStamp, ownDisks, settledNs, stampOf } from './file-stamps.js';
import type { FoundRefs, RefCandidates } from './ref-name.js';

/** A path may come to mean another repository; then what is known of the old one is of no use for longer than this. */
const longestMs = 60_000;
const mostRefs = 10_000;

interface Known {
  files: string[];
  signature: string;
  found: FoundRefs;
  since: number;
}

/**
 * Remembers what refs of local repositories point to for as long as the files that say so stay the same, so that asking git, which costs more
 * than everything else that a trigger needs (docs/performance.md), is only needed after a change.
 *
 * git never writes a ref in place: it writes another file and renames it. So the inode, its times and its size tell a change, unless the file
 * is so young that a second change could bear the same time; such files are not relied upon. git itself trusts packed-refs in this way.
 */
export class UnchangedRefs {
  readonly #known = new Map<string, Known>();

  /** What the candidates point to at this moment, if that is certain without asking git. */
  find(repository: string, candidates: RefCandidates): FoundRefs | undefined {
    const key = keyOf(repository, candidates);
    const known = this.#known.get(key);
    if (!known) return undefined;
    if (performance.now() - known.since < longestMs && signatureOf(known.files) === known.signature) return known.found;
    this.#known.delete(key);
    return undefined;
  }

  /**
   * Asks git and remembers the answer where that is safe.
   * @param gitDirectory of the repository
   * @param ask asks git
   */
  async learn(
    repository: string,
    gitDirectory: string,
    candidates: RefCandidates,
    ask: () => Promise<FoundRefs>,
  ): Promise<FoundRefs> {
    const files = filesOf(gitDirectory, candidates);
    const before = files && signatureOf(files);
    const startNs = BigInt(Date.now()) * 1_000_000n;
    const found = await ask();
    // A name that nothing has looks the same in a repository that is gone.
    if (!found.branch && !found.tag) return found;
    if (!files || !before || before !== signatureOf(files) || !areSettled(files, startNs)) return found;
    if (this.#known.size >= mostRefs) this.#known.clear();
    this.#known.set(keyOf(repository, candidates), { files, signature: before, found, since: performance.now() });
    return found;
  }
}

function keyOf(repository: string, { branch, tag }: RefCandidates): string {
  return `${repository}\0${branch ?? ''}\0${tag ?? ''}`;
}

/** The files that decide; undefined where others decide, or where a stat cannot be relied upon. */
function filesOf(gitDirectory: string, { branch, tag }: RefCandidates): string[] | undefined {
  try {
    if (!ownDisks.has(statfsSync(gitDirectory).type)) return undefined;
    // The refs of a linked working tree lie elsewhere, those of the reftable format in other files.
    if (stampOf(join(gitDirectory, 'commondir')) || stampOf(join(gitDirectory, 'reftable'))) return undefined;
    const refs = [branch, tag].flatMap((name) => (name ? [join(gitDirectory, name)] : []));
    if (refs.some(isSymbolic)) return undefined;
    return [...refs, join(gitDirectory, 'packed-refs')];
  } catch {
    return undefined;
  }
}

/** A symbolic ref is as good as the one it names, wherever that lies. */
function isSymbolic(file: string): boolean {
  const stamp = stampOf(file);
  return stamp !== undefined && stamp.isFile() && readFileSync(file, { encoding: 'latin1' }).startsWith('ref:');
}

function signatureOf(files: readonly string[]): string {
  return files.map((file) => describeStamp(stampOf(file))).join('|');
}

function areSettled(files: readonly string[], atNs: bigint): boolean {
  return files.every((file) => {
    const stamp = stampOf(file);
    return !stamp || (stamp.ctimeNs < atNs - settledNs && stamp.mtimeNs < atNs - settledNs);
  });
}
