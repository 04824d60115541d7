import { resolve as resolvePath } from 'node:path';
import type { CommitFacts } from '#libs/contracts';
import { AddressFilter } from './address-filter.js';
import { ByteCache } from './byte-cache.js';
import { Coalescing } from './coalescing.js';
import { CopiedRefs } from './copied-refs.js';
import { parseCommit, parseTagMessage } from './commit-object.js';
import { ExactRefs } from './exact-refs.js';
import { FetchLanes } from './fetch-lanes.js';
import { Git } from './git-command.js';
import { describeFailure, hasNothingToTell, isMissingObject } from './git-failure.js';
import { GitSources } from './git-source.js';
import { Mirrors } from './mirrors.js';
import { ObjectReaders } from './object-readers.js';
import type { GitObject } from './object-reader.js';
import { PipelinePins } from './pipeline-pins.js';
import { candidatesFor, type FoundRefs, shortName, type RefCandidates } from './ref-name.js';
import { isBelow } from './git-directory.js';
import { parseAddress, type RepositoryAddress, type Scheme } from './repository-address.js';
import { CommitNotFound, FileTooLarge, RefAmbiguous, RefNotFound, RepositoryUnreadable } from './repository-errors.js';

/** A file of this size is no CI configuration; GitLab's own limit is below. In bytes. */
const largestFile = 8 * 1_048_576;
/** Commits and tags that are read into memory, in bytes; longer ones are attacks. */
const largestCommit = 1_048_576;
/** What a listing of all files may take, in bytes. */
const largestListing = 64 * 1_048_576;

export interface RepositoriesOptions {
  /** Where mirrors lie, absolute; may be shared by several processes, and may be lost but for commits that were force-pushed away. */
  cacheDir: string;
  schemes: readonly Scheme[];
  /** Names, addresses and networks that may be asked although they are private; see {@link AddressFilter}. */
  privateHosts: readonly string[] | 'any';
  loopback: boolean;
  sshKeyFile?: string;
  sshKnownHostsFile?: string;
  /** For each call of git; 30 s when left out. */
  gitTimeoutMs?: number;
}

/** A branch or tag and the commit that it pointed to when it was asked for. */
export interface ResolvedRef {
  /** The short name. */
  ref: string;
  type: 'branch' | 'tag';
  sha: string;
  commit: CommitFacts;
  /** Of an annotated tag. */
  tagMessage?: string;
}

/**
 * The git repositories of all projects. What is on local disk is read where it is; what is remote is fetched for each question into a
 * bare mirror, and a mirror that could not be fetched answers nothing (architecture.md §2.5). Every answer is at least as new as its
 * question. Commits and files by commit never change, so they are kept. Each call ends within the time limit, waiting for
 * the fetch before and for a place included not more than four times that.
 */
export class Repositories {
  readonly #git: Git;
  readonly #readers: ObjectReaders;
  readonly #refs: ExactRefs;
  readonly #sources: GitSources;
  readonly #mirrors: Mirrors;
  readonly #pins: PipelinePins;
  readonly #filter: AddressFilter;
  readonly #cacheDir: string;
  readonly #limitMs: number;
  /** For remote fetches; eight that make progress and up to 64 that do not cost little. */
  readonly #fetchLanes: FetchLanes;
  /** For copying commits out of repositories on local disk. */
  readonly #copyLanes: FetchLanes;

  readonly #lookups = new Coalescing<RefCandidates, FoundRefs>((key, [first]) =>
    this.#refs.find(key.slice(0, key.indexOf('\0')), first!),
  );
  readonly #fetches = new Coalescing<RepositoryAddress, void>((_key, requests) => this.#fetch(requests[0]!));
  readonly #listings = new Coalescing<{ address: RepositoryAddress; sha: string }, string[]>((_key, [first]) =>
    this.#list(first!.address, first!.sha),
  );

  readonly #commits = new ByteCache<CommitFacts>(16 * 1_048_576);
  readonly #tagMessages = new ByteCache<string>(4 * 1_048_576);
  readonly #files = new ByteCache<{ blob: string; text: string } | null>(64 * 1_048_576);
  readonly #copiedRefs = new CopiedRefs();
  readonly #lastChanges = new ByteCache<string | null>(4 * 1_048_576);
  readonly #fileLists = new ByteCache<string[]>(64 * 1_048_576);
  /** Commits that the mirror has with all that belongs to them; an object alone may be what an interrupted fetch left. */
  readonly #complete = new ByteCache<true>(50_000);

  constructor(options: RepositoriesOptions) {
    const limitMs = (this.#limitMs = options.gitTimeoutMs ?? 30_000);
    const cacheDir = (this.#cacheDir = resolvePath(options.cacheDir));
    this.#git = new Git(`${cacheDir}/.git-home`);
    this.#filter = new AddressFilter(options);
    this.#readers = new ObjectReaders(this.#git, { limit: 32, limitMs, cacheDir });
    this.#refs = new ExactRefs(this.#git, this.#readers, limitMs);
    this.#sources = new GitSources(this.#git, this.#filter, { ...options, cacheDir, limitMs });
    this.#mirrors = new Mirrors(this.#git, { cacheDir, limitMs });
    this.#pins = new PipelinePins(
      this.#mirrors,
      (projectId, sha) => this.#complete.get(`${projectId} ${sha}`) === true,
      async (projectId, sha) =>
        (await this.#readers.ask(this.#mirrors.path(projectId), 'facts', [sha]))[0]?.type === 'commit',
      (address, shas, refspecs) => this.#copy(address, shas, refspecs),
      limitMs,
    );
    this.#fetchLanes = new FetchLanes({ atOnce: 8, atMost: 64, slowAfterMs: 1_000, waitMs: limitMs });
    this.#copyLanes = new FetchLanes({ atOnce: 2, atMost: 16, slowAfterMs: 1_000, waitMs: limitMs });
  }

  /**
   * Refuses addresses that the operator's rules forbid. For when a project is created or edited; every use checks again.
   * @throws RepositoryUnreadable: final when forbidden, transient when its name could not be resolved just now
   */
  async checkAddress(url: string): Promise<void> {
    const local = this.#localPath(url);
    if (local === undefined) await this.#sources.approve({ url });
  }

  /**
   * The commit that a branch or tag points to now (trigger-api.md §1.6). `ref` is any string.
   * @throws RefNotFound, RefAmbiguous, CommitNotFound, RepositoryUnreadable
   */
  async resolve(address: RepositoryAddress, ref: string): Promise<ResolvedRef> {
    const candidates = candidatesFor(ref);
    if (!candidates.branch && !candidates.tag) throw new RefNotFound();
    const repository = await this.#fresh(address);
    const key = `${repository}\0${candidates.branch ?? ''}\0${candidates.tag ?? ''}`;
    const { branch, tag } = await this.#lookups.ask(key, candidates);
    if (branch && tag) throw new RefAmbiguous();
    const found = branch ?? tag;
    if (!found) throw new RefNotFound();
    const commit = await this.#peel(repository, found);
    const resolved: ResolvedRef = {
      ref: shortName((branch ? candidates.branch : candidates.tag)!),
      type: branch ? 'branch' : 'tag',
      sha: commit.sha,
      commit: await this.#commit(address, repository, commit),
    };
    if (tag?.type === 'tag') resolved.tagMessage = await this.#tagMessage(address, repository, tag);
    if (!this.#isLocal(address)) this.#complete.set(`${address.projectId} ${commit.sha}`, true, 1);
    return resolved;
  }

  /**
   * The commit that a branch or tag points to now, or the one that has this id; a name that is a branch and a tag is the tag, as for git itself.
   * @returns null when there is none; a whole id is not looked up
   * @throws RepositoryUnreadable
   */
  async commitNamed(address: RepositoryAddress, name: string): Promise<string | null> {
    try {
      return (await this.resolve(address, name)).sha;
    } catch (error) {
      if (error instanceof RefAmbiguous) return (await this.resolve(address, `refs/tags/${name}`)).sha;
      if (!(error instanceof RefNotFound || error instanceof CommitNotFound)) throw error;
      return isSha(name.toLowerCase()) ? name.toLowerCase() : null;
    }
  }

  /**
   * The short name of the branch that HEAD points to; null when it points to none or to one without commits.
   * @throws RepositoryUnreadable
   */
  async defaultBranch(address: RepositoryAddress): Promise<string | null> {
    try {
      const source = await this.#sources.approve(address);
      const ask = async () => {
        await this.#mirrors.ensure(address.projectId);
        const mirror = `--git-dir=${this.#mirrors.path(address.projectId)}`;
        const args = [mirror, ...source.settings, 'ls-remote', '--quiet', '--symref', '--', source.url, 'HEAD'];
        return (await this.#git.run({ ...source, args, limitMs: this.#limitMs })).toString('utf8');
      };
      const output = await (this.#isLocal(address) ? this.#copyLanes : this.#fetchLanes).run(address.projectId, ask);
      return /^ref: refs\/heads\/(.+)\tHEAD$/m.exec(output)?.[1] ?? null;
    } catch (error) {
      throw describeFailure(error, this.#limitMs);
    }
  }

  /**
   * A file at exactly this commit, as UTF-8; `path` counts from the top, without a leading slash. Null when there is none: no such
   * path, a directory, a submodule. A symbolic link is read as what it holds, its target.
   * @throws CommitNotFound, FileTooLarge above 8 MiB, RepositoryUnreadable
   */
  async readFile(
    address: RepositoryAddress,
    sha: string,
    path: string,
  ): Promise<{ blob: string; text: string } | null> {
    if (!isFilePath(path)) return null;
    const key = `${address.projectId} ${sha} ${path}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known;

    const repository = await this.#atCommit(address, sha);
    const [entry] = await this.#readers.ask(repository, 'facts', [`${sha}:${path}`]);
    let file: { blob: string; text: string } | null = null;
    if (entry?.type === 'blob') {
      if (entry.size > largestFile) throw new FileTooLarge(path, entry.size, largestFile);
      file = { blob: entry.sha, text: (await this.#content(repository, entry)).toString('utf8') };
    }
    this.#files.set(key, file, 200 + key.length + 2 * (file?.text.length ?? 0));
    return file;
  }

  /**
   * The paths of all files at this commit, in git's order.
   * @throws CommitNotFound, RepositoryUnreadable (final above 64 MiB of names)
   */
  async listFiles(address: RepositoryAddress, sha: string): Promise<string[]> {
    const key = `${address.projectId} ${sha}`;
    const known = this.#fileLists.get(key);
    if (known) return known;
    return this.#listings.ask(key, { address, sha });
  }

  /**
   * The id of each file's content at this commit, null where there is no such file.
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async blobIds(address: RepositoryAddress, sha: string, paths: readonly string[]): Promise<(string | null)[]> {
    const repository = await this.#atCommit(address, sha);
    const askable = paths.filter(isFilePath);
    const names = askable.map((path) => `${sha}:${path}`);
    const found = names.length > 0 ? await this.#readers.ask(repository, 'facts', names) : [];
    const ids = new Map(askable.map((path, index) => [path, found[index]]));
    return paths.map((path) => {
      const object = ids.get(path);
      return object?.type === 'blob' ? object.sha : null;
    });
  }

  /**
   * The last commit up to this one that changed a path, null where none did.
   * @param limitMs how long git may look: a long history takes its time
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async lastChange(address: RepositoryAddress, sha: string, path: string, limitMs: number): Promise<string | null> {
    if (!isFilePath(path)) return null;
    const key = `${address.projectId} ${sha} ${path}`;
    const known = this.#lastChanges.get(key);
    if (known !== undefined) return known;
    const repository = await this.#atCommit(address, sha);
    try {
      const gitDirectory = await this.#readers.gitDirectory(repository);
      const args = [`--git-dir=${gitDirectory}`, '--literal-pathspecs', 'log', '-1', '--format=%H', sha, '--', path];
      const output = await this.#git.run({ args, limitMs });
      const found = output.toString('latin1').trim() || null;
      this.#lastChanges.set(key, found, 200 + key.length);
      return found;
    } catch (error) {
      throw describeFailure(error, limitMs);
    }
  }

  /**
   * The paths of files that differ between a commit and the newest one that it has in common with another, in git's order.
   * @returns null when there is no such other commit, or nothing in common
   * @throws CommitNotFound, RepositoryUnreadable (final above 64 MiB of names)
   */
  async changedPaths(address: RepositoryAddress, base: string, sha: string): Promise<string[] | null> {
    const key = `${address.projectId} ${base} ${sha}`;
    const known = this.#fileLists.get(key);
    if (known) return known;
    const repository = await this.#atCommit(address, sha);
    const [other] = await this.#readers.ask(repository, 'facts', [base]);
    if (other?.type !== 'commit') return null;
    const git = async (...args: string[]): Promise<string> => {
      const gitDirectory = `--git-dir=${await this.#readers.gitDirectory(repository)}`;
      const limits = { limitMs: this.#limitMs, maxOutput: largestListing };
      return (await this.#git.run({ args: [gitDirectory, ...args], ...limits })).toString('utf8');
    };
    try {
      const common = (await git('merge-base', base, sha)).trim();
      const output = await git('diff-tree', '-r', '-z', '--name-only', common, sha);
      const paths = output.split('\0').slice(0, -1);
      this.#fileLists.set(key, paths, 200 + 3 * output.length);
      return paths;
    } catch (error) {
      if (hasNothingToTell(error)) return null;
      throw describeFailure(error, this.#limitMs);
    }
  }

  /**
   * Keeps a commit for a pipeline: copies it into the mirror and points `refs/pipelines/<id>` to it, whatever happens to its branch.
   * Doing it again is cheap.
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async pin(address: RepositoryAddress, sha: string, pipelineId: number): Promise<void> {
    if (!isSha(sha)) throw new CommitNotFound();
    if (!Number.isSafeInteger(pipelineId) || pipelineId <= 0) throw new RangeError(`${pipelineId} is no pipeline id`);
    await this.#pins.pin({ address, sha, pipelineId });
  }

  /**
   * Makes the mirror ready for the clone of a job: its commit is pinned, and its tag is there. Branches and tags are as new as they can be had
   * without asking another machine, whose silence must not keep a job from its commit.
   * @param pipeline `tag`: the name of the tag that it is for, if it is for one
   * @param defaultBranch which a clone in its script checks out
   * @returns where the mirror lies
   * @throws CommitNotFound, RepositoryUnreadable
   */
  async mirrorForJob(
    address: RepositoryAddress,
    pipeline: { id: number; sha: string; tag: string | null },
    defaultBranch: string,
  ): Promise<string> {
    const { projectId } = address;
    await this.pin(address, pipeline.sha, pipeline.id);
    await this.#mirrors.pointHead(projectId, defaultBranch);
    const mirror = this.#mirrors.path(projectId);
    if (this.#isLocal(address)) await this.#bringUpToDate(address).catch(() => undefined);
    if (pipeline.tag !== null) {
      const ref = `refs/tags/${pipeline.tag}`;
      const [there] = await this.#readers.ask(mirror, 'facts', [ref]);
      // Deleted since; a runner asks for it by name.
      if (!there) await this.#mirrors.updateRefs(projectId, new Map([[ref, pipeline.sha]]));
    }
    return mirror;
  }

  /**
   * Brings the mirror up to date for whoever clones the repository as it is now.
   * @param defaultBranch which a clone checks out
   * @returns where the mirror lies
   * @throws RepositoryUnreadable
   */
  async freshMirror(address: RepositoryAddress, defaultBranch: string): Promise<string> {
    await this.#bringUpToDate(address);
    await this.#mirrors.pointHead(address.projectId, defaultBranch);
    return this.#mirrors.path(address.projectId);
  }

  /** Fetches branches and tags, where that is not known to be of no use. */
  async #bringUpToDate(address: RepositoryAddress): Promise<void> {
    const local = this.#localPath(address.url);
    const look = local === undefined ? undefined : this.#copiedRefs.look(await this.#readers.gitDirectory(local));
    if (look && this.#copiedRefs.has(address.projectId, look)) return;
    await this.#fetches.ask(JSON.stringify(address), address);
    if (look) this.#copiedRefs.note(address.projectId, look);
  }

  /** Where the project's bare mirror lies, for serving clones of it; made by the first fetch or pin. */
  mirrorPath(projectId: number): string {
    return this.#mirrors.path(projectId);
  }

  /** Removes the mirror and all that is kept of a project. */
  async forget(projectId: number): Promise<void> {
    this.#readers.forget(this.#mirrors.path(projectId));
    this.#copiedRefs.forget(projectId);
    for (const cache of [
      this.#commits,
      this.#tagMessages,
      this.#files,
      this.#fileLists,
      this.#lastChanges,
      this.#complete,
    ]) {
      cache.deletePrefix(`${projectId} `);
    }
    await this.#mirrors.remove(projectId);
  }

  /** Ends all processes; what waits fails as transient. */
  async close(): Promise<void> {
    await Promise.all([this.#git.close(), this.#readers.close()]);
  }

  #isLocal(address: RepositoryAddress): boolean {
    return this.#localPath(address.url) !== undefined;
  }

  /** The path of an allowed repository on local disk; undefined for a remote one. @throws RepositoryUnreadable for a forbidden one */
  #localPath(url: string): string | undefined {
    const address = parseAddress(url);
    this.#filter.checkScheme(address);
    if (address.scheme !== 'file') return undefined;
    if (isBelow(address.path, this.#cacheDir))
      throw new RepositoryUnreadable({ transient: false, reason: 'access to this path is refused' });
    return address.path;
  }

  /** Where to read refs that are as new as this call. */
  async #fresh(address: RepositoryAddress): Promise<string> {
    const local = this.#localPath(address.url);
    if (local !== undefined) return local;
    await this.#fetches.ask(JSON.stringify(address), address);
    return this.#mirrors.path(address.projectId);
  }

  /** Where to read a commit that must be there. */
  async #atCommit(address: RepositoryAddress, sha: string): Promise<string> {
    if (!isSha(sha)) throw new CommitNotFound();
    const repository = this.#localPath(address.url) ?? this.#mirrors.path(address.projectId);
    const ask = async () => (await this.#readers.ask(repository, 'facts', [sha]))[0];
    const isRead = this.#isLocal(address) || this.#complete.get(`${address.projectId} ${sha}`);
    let commit = isRead ? await ask() : undefined;
    if (!commit && !this.#isLocal(address)) {
      await this.#fetch(address, [sha]);
      commit = await ask();
    }
    if (commit?.type !== 'commit') throw new CommitNotFound();
    return repository;
  }

  /** Brings the mirror of a remote repository up to date, and these commits besides, whether or not a ref leads to them. */
  async #fetch(address: RepositoryAddress, shas: readonly string[] = [], pins: readonly string[] = []): Promise<void> {
    const { projectId } = address;
    try {
      await this.#fetchLanes.run(projectId, async () => {
        // Approved in the lane, straight before the use.
        const source = await this.#sources.approve(address);
        await this.#mirrors.ensure(projectId, shas[0]);
        await this.#mirrors.fetch(
          projectId,
          source,
          ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*', ...shas, ...pins],
          {
            prune: true,
          },
        );
      });
    } catch (error) {
      if (isMissingObject(error)) throw new CommitNotFound();
      throw describeFailure(error, this.#limitMs);
    }
    for (const sha of shas) this.#complete.set(`${projectId} ${sha}`, true, 1);
  }

  async #peel(repository: string, found: GitObject): Promise<GitObject> {
    const [commit] =
      found.type === 'tag' ? await this.#readers.ask(repository, 'facts', [`${found.sha}^{commit}`]) : [found];
    if (commit?.type !== 'commit') throw new CommitNotFound();
    return commit;
  }

  async #commit({ projectId }: RepositoryAddress, repository: string, object: GitObject): Promise<CommitFacts> {
    const key = `${projectId} ${object.sha}`;
    const known = this.#commits.get(key);
    if (known) return known;
    const commit = parseCommit(object.sha, await this.#content(repository, object));
    this.#commits.set(key, commit, 500 + 2 * object.size);
    return commit;
  }

  async #tagMessage({ projectId }: RepositoryAddress, repository: string, object: GitObject): Promise<string> {
    const key = `${projectId} ${object.sha}`;
    const known = this.#tagMessages.get(key);
    if (known !== undefined) return known;
    const message = parseTagMessage(await this.#content(repository, object));
    this.#tagMessages.set(key, message, 200 + 2 * message.length);
    return message;
  }

  async #content(repository: string, { sha, type, size }: GitObject): Promise<Buffer> {
    if (type !== 'blob' && size > largestCommit) {
      throw new RepositoryUnreadable({ transient: false, reason: `the ${type} ${sha} has ${size} bytes` });
    }
    const [object] = await this.#readers.ask(repository, 'contents', [sha]);
    if (!object?.content) throw new RepositoryUnreadable({ transient: true, reason: `the object ${sha} is missing` });
    return object.content;
  }

  async #list(address: RepositoryAddress, sha: string): Promise<string[]> {
    const repository = await this.#atCommit(address, sha);
    try {
      const gitDirectory = await this.#readers.gitDirectory(repository);
      const args = [`--git-dir=${gitDirectory}`, 'ls-tree', '-r', '-z', '--name-only', '--full-tree', sha];
      const output = await this.#git.run({ args, limitMs: this.#limitMs, maxOutput: largestListing });
      const files = output.toString('utf8').split('\0').slice(0, -1);
      this.#fileLists.set(`${address.projectId} ${sha}`, files, 200 + 3 * output.length);
      return files;
    } catch (error) {
      throw describeFailure(error, this.#limitMs);
    }
  }

  /** Copies commits into the mirror and points refs to them, from wherever the project's repository is. */
  async #copy(address: RepositoryAddress, shas: readonly string[], refspecs: readonly string[]): Promise<void> {
    const local = this.#localPath(address.url);
    if (local === undefined) return this.#fetch(address, shas, refspecs);
    const { projectId } = address;
    const commits = await this.#readers.ask(local, 'facts', shas);
    if (commits.some((commit) => commit?.type !== 'commit')) throw new CommitNotFound();
    await this.#copyLanes.run(projectId, async () => {
      const source = await this.#sources.approve(address);
      await this.#mirrors.ensure(projectId, shas[0]);
      await this.#mirrors.fetch(projectId, source, refspecs, { prune: false });
    });
    for (const sha of shas) this.#complete.set(`${projectId} ${sha}`, true, 1);
  }
}

/** git refuses to look for anything else, and cat-file is asked by lines. */
function isFilePath(path: string): boolean {
  return !/[\n\0]/.test(path) && !path.split('/').some((part) => ['', '.', '..'].includes(part));
}

/** A full object id. */
function isSha(sha: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(sha);
}
