import { locateGitDirectory } from './git-directory.js';
import { GitFailed, type Git } from './git-command.js';
import { describeFailure } from './git-failure.js';
import { ObjectReader, type GitObject, type ReaderKind } from './object-reader.js';

/** An unused process is ended after a minute. */
const idleMs = 60_000;
/** A process reads the repository's format once, at its start; a repository may be replaced by one of another format. */
const oldestMs = 300_000;

interface Entry {
  reader: ObjectReader;
  idle: NodeJS.Timeout;
}

/**
 * Object readers by repository: the ones used last are kept, at most `limit` processes; one that is stuck, dead, idle or old is
 * replaced. Beyond the limit the one unused for longest answers what it was asked and ends, so that nobody waits for a place.
 */
export class ObjectReaders {
  readonly #entries = new Map<string, Entry>();
  readonly #opening = new Map<string, Promise<Entry>>();
  #closed = false;

  constructor(
    private readonly git: Git,
    private readonly options: { limit: number; limitMs: number; cacheDir: string },
  ) {}

  /**
   * Asks the repository at this path (bare or with a working tree) for some names at once.
   * @throws RepositoryUnreadable
   */
  async ask(repository: string, kind: ReaderKind, names: readonly string[]): Promise<(GitObject | undefined)[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { reader } = await this.#entry(repository, kind);
        return await reader.ask(names);
      } catch (error) {
        // The process may have been stuck on another question, or ended between two.
        const again =
          attempt === 1 && error instanceof GitFailed && (error.ending === 'exit' || error.ending === 'stopped');
        if (!again || this.#closed) throw describeFailure(error, this.options.limitMs);
      }
    }
  }

  /** The git directory of a repository on disk, for other commands of git. @throws RepositoryUnreadable */
  gitDirectory(repository: string): Promise<string> {
    return locateGitDirectory(repository, this.options);
  }

  /** Ends the processes of one repository. */
  forget(repository: string): void {
    for (const kind of ['facts', 'contents'] as const) this.#entries.get(`${kind} ${repository}`)?.reader.kill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#opening.values());
    const readers = [...this.#entries.values()].map(({ reader }) => reader);
    for (const reader of readers) reader.kill();
    await Promise.all(readers.map((reader) => reader.closed()));
  }

  async #entry(repository: string, kind: ReaderKind): Promise<Entry> {
    const key = `${kind} ${repository}`;
    const entry = this.#entries.get(key);
    if (entry && performance.now() - entry.reader.startedAt < oldestMs) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      entry.idle.refresh();
      return entry;
    }
    if (entry) this.#remove(key, entry).reader.retire();
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#open(key, repository, kind).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  async #open(key: string, repository: string, kind: ReaderKind): Promise<Entry> {
    await this.git.prepare();
    const gitDirectory = await locateGitDirectory(repository, this.options);
    if (this.#closed) throw new GitFailed('', 'stopped');
    const reader = new ObjectReader(this.git, gitDirectory, kind, this.options.limitMs, () => this.#remove(key, entry));
    const entry: Entry = { reader, idle: setTimeout(() => this.#remove(key, entry).reader.retire(), idleMs).unref() };
    this.#entries.set(key, entry);
    for (const [oldKey, old] of this.#entries) {
      if (this.#entries.size <= this.options.limit) break;
      this.#remove(oldKey, old).reader.retire();
    }
    return entry;
  }

  #remove(key: string, entry: Entry): Entry {
    clearTimeout(entry.idle);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    return entry;
  }
}
