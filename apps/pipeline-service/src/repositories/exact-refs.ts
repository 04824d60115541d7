import { GitFailed, type Git } from './git-command.js';
import { describeFailure } from './git-failure.js';
import type { GitObject } from './object-reader.js';
import type { ObjectReaders } from './object-readers.js';
import { UnchangedRefs } from './unchanged-refs.js';
import { type FoundRefs, looksDescribed, type RefCandidates, shadowsOf } from './ref-name.js';

/**
 * Reads refs by their exact full names. `git cat-file` is fast, but takes a name that does not exist for something else where it can
 * (gitrevisions(7)), so each answer is confirmed: asked again in one breath with all names that could have stood in for it. Where one of
 * them could have, `git show-ref --verify`, which guesses nothing but costs a process, decides.
 */
export class ExactRefs {
  readonly #unchanged = new UnchangedRefs();

  constructor(
    private readonly git: Git,
    private readonly readers: ObjectReaders,
    private readonly limitMs: number,
  ) {}

  /** @throws RepositoryUnreadable */
  async find(repository: string, candidates: RefCandidates): Promise<FoundRefs> {
    const unchanged = this.#unchanged.find(repository, candidates);
    if (unchanged) return unchanged;
    await this.git.prepare();
    const gitDirectory = await this.readers.gitDirectory(repository);
    return this.#unchanged.learn(repository, gitDirectory, candidates, () => this.#ask(repository, candidates));
  }

  async #ask(repository: string, candidates: RefCandidates): Promise<FoundRefs> {
    const names = [candidates.branch, candidates.tag].filter((name) => name !== undefined);
    const answers = await this.readers.ask(repository, 'facts', names);
    const found = await Promise.all(
      names.map(async (name, index) => (answers[index] ? this.#confirm(repository, name) : undefined)),
    );
    // A process that runs keeps answering "missing" after its repository was removed.
    if (!found.some(Boolean)) await this.readers.gitDirectory(repository);
    return { branch: candidates.branch ? found[0] : undefined, tag: candidates.tag ? found.at(-1) : undefined };
  }

  async #confirm(repository: string, name: string): Promise<GitObject | undefined> {
    if (!looksDescribed(name)) {
      const shadows = shadowsOf(name);
      const answers = await this.readers.ask(repository, 'facts', [name, ...shadows, name]);
      const [before, after] = [answers[0], answers.at(-1)];
      if (before && before.sha === after?.sha && !answers.slice(1, -1).some(Boolean)) return after;
    }
    const sha = await this.#verify(repository, name);
    return sha === undefined ? undefined : (await this.readers.ask(repository, 'facts', [sha]))[0];
  }

  async #verify(repository: string, name: string): Promise<string | undefined> {
    const gitDirectory = await this.readers.gitDirectory(repository);
    try {
      const args = [`--git-dir=${gitDirectory}`, 'show-ref', '--verify', '--hash', '--', name];
      return (await this.git.run({ args, limitMs: this.limitMs })).toString('latin1').trim();
    } catch (error) {
      if (error instanceof GitFailed && error.ending === 'exit' && /not a valid ref/.test(error.stderr))
        return undefined;
      throw describeFailure(error, this.limitMs);
    }
  }
}
