import { constants } from 'node:fs';
import { access, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fetchPack, refsOfCommit, type UploadPackCall } from './fetch-pack.js';
import type { JobPayload } from './job.payload.js';
import {
  attempts,
  checkGitInfo,
  cleanArguments,
  fetchArguments,
  gitStrategy,
  repositoryConfiguration,
  submoduleArguments,
  type Settings,
} from './sources.js';
import { removeTree } from './workspace.js';

export interface GitCommand {
  args: readonly string[];
  /** What it writes on standard output is for programs. */
  silent?: boolean;
}

interface SourcesRun {
  job: JobPayload;
  /** The checkout. */
  directory: string;
  setting: Settings;
  /** `PATH`, to know whether git-lfs is installed. */
  searchPath: string;
  /** Whether what earlier jobs left in the checkout can do no more than the runner lets jobs do anyway. */
  trustsCheckouts: boolean;
  say(line: string): void;
  /** Asks the repository's host for objects as git would; undefined where only git itself knows how. */
  uploadPack: UploadPackCall | undefined;
  /** Runs git in the checkout, one command after the other until one fails; returns the exit code of the last that ran. */
  git(commands: readonly GitCommand[]): Promise<number>;
  runHook(name: 'pre_get_sources_script' | 'post_get_sources_script'): Promise<number>;
  /** Whether trying again would be in vain, since the job is being ended. */
  isEnding(): boolean;
}

/**
 * Brings the checkout to the job's commit by `GIT_STRATEGY` (runner-api.md §6.3).
 * @returns 0, or the exit code of what failed
 * @throws {Error} for git information or settings that cannot be followed
 */
export async function getSources(run: SourcesRun): Promise<number> {
  const strategy = gitStrategy(run.job, run.setting);
  if ((run.setting('GIT_CLONE_PATH') ?? '') !== '') {
    throw new Error('setting GIT_CLONE_PATH is not allowed: this runner chooses the directories of its jobs itself');
  }
  if (strategy === 'none') {
    run.say('Skipping Git repository setup');
    return 0;
  }
  if (strategy === 'empty') {
    run.say('Skipping Git repository setup and creating an empty build directory');
    await renew(run.directory);
    return 0;
  }
  checkGitInfo(run.job);
  const before = await run.runHook('pre_get_sources_script');
  if (before !== 0) return before;
  const code = await bringSources(run, strategy === 'fetch');
  return code === 0 ? run.runHook('post_get_sources_script') : code;
}

/** A copy at hand that cannot be brought up to date, as a killed git may leave it, is given up for a new one once. */
async function bringSources(run: SourcesRun, mayReuse: boolean): Promise<number> {
  let left = attempts(run.setting('GET_SOURCES_ATTEMPTS'));
  let reuse = mayReuse && (await isReusable(run.directory, run.trustsCheckouts));
  if (reuse) left = Math.max(left, 2);
  for (;;) {
    const code = await updateCheckout(run, reuse);
    left--;
    if (code === 0 || left === 0 || run.isEnding()) return code;
    run.say(reuse ? 'The existing copy could not be updated; starting from an empty directory' : 'Trying again');
    reuse = false;
  }
}

async function updateCheckout(run: SourcesRun, reuse: boolean): Promise<number> {
  const { job, directory, setting, say } = run;
  const { depth, ref, sha } = job.git;
  const repository = join(directory, '.git');
  if (reuse) await resetRepository(repository);
  else await renew(directory);
  await makeRepository(repository, job);

  say(`${reuse ? 'Fetching changes' : 'Cloning repository'}${depth > 0 ? ` with git depth set to ${depth}` : ''}...`);
  const copy = !reuse ? 'none' : (await exists(join(repository, 'shallow'))) ? 'shallow' : 'whole';
  const refs = wantedRefs(run);
  const isHere =
    reuse && refs !== undefined && (await hasFetched(repository, job)) && (await pointRefs(repository, refs, sha));
  const pack = reuse || refs === undefined ? undefined : await fetchPack(repository, job, refs, run.uploadPack!);
  const isSkipped = setting('GIT_CHECKOUT') === 'false';
  const index: GitCommand[] = pack === undefined ? [] : [{ args: ['index-pack', pack], silent: true }];
  if (!isHere && (pack === undefined || isSkipped)) {
    const code = await run.git(pack === undefined ? [{ args: fetchArguments(job, setting, copy) }] : index);
    if (code !== 0) return code;
  }
  if (isSkipped) {
    await noteFetched(repository, job);
    say('Skipping Git checkout');
    return 0;
  }
  say(`Checking out ${sha.slice(0, 8)} as detached HEAD (ref is ${ref})...`);
  const clean = reuse ? cleanArguments(setting) : undefined;
  const hasFiles = (await hasLfs(run.searchPath)) && setting('GIT_LFS_SKIP_SMUDGE') !== '1';
  const rest = [
    ['checkout', '--force', '--quiet', '--detach', sha],
    ...(clean ? [clean] : []),
    ...(hasFiles ? [['lfs', 'pull']] : []),
    ...submoduleArguments(job, setting, reuse),
  ].map((args) => ({ args }));
  const code = await run.git([...index, ...rest]);
  if (code === 0 && !isHere) await noteFetched(repository, job);
  return code;
}

/** The refs that are wanted, where what they point to is known without asking, and nothing beside them is. */
function wantedRefs({ job, setting, uploadPack }: SourcesRun): string[] | undefined {
  return uploadPack && (setting('GIT_FETCH_EXTRA_FLAGS') ?? '') === '' ? refsOfCommit(job) : undefined;
}

/** In the repository: which commit was fetched last, with how much of its history. */
const FETCHED = 'flagfall-fetched';

/** Whether the last job here fetched the same commit with as much history, as jobs of one pipeline do, and left the history as it was. */
async function hasFetched(repository: string, job: JobPayload): Promise<boolean> {
  const noted = await readFile(join(repository, FETCHED), 'utf8').catch(() => '');
  return noted !== '' && noted === (await describeFetch(repository, job));
}

async function noteFetched(repository: string, job: JobPayload): Promise<void> {
  await writeFile(join(repository, FETCHED), await describeFetch(repository, job));
}

async function describeFetch(repository: string, { git }: JobPayload): Promise<string> {
  const shallow = await readFile(join(repository, 'shallow'), 'utf8').catch(() => '');
  return `${git.sha} ${git.depth}\n${shallow}`;
}

/** As git would, each in a file; false where an earlier job left something in their way, which git will tell. */
async function pointRefs(repository: string, refs: readonly string[], sha: string): Promise<boolean> {
  try {
    for (const ref of refs) {
      await mkdir(dirname(join(repository, ref)), { recursive: true });
      await writeFile(join(repository, ref), `${sha}\n`);
    }
    return true;
  } catch {
    return false;
  }
}

/** What a repository keeps from job to job: objects, refs, and what speeds up the next checkout. */
const KEPT = [FETCHED, 'HEAD', 'index', 'lfs', 'modules', 'objects', 'packed-refs', 'refs', 'shallow'];

/**
 * Takes out of a repository all that an earlier job may have left to act in this one: configuration (commands in `core.fsmonitor`,
 * rewritten URLs), hooks, other places to read configuration or objects from, and the locks of a killed git.
 */
async function resetRepository(repository: string): Promise<void> {
  const entries = await readdir(repository);
  const left = entries.filter((name) => !KEPT.includes(name)).map((name) => join(repository, name));
  left.push(join(repository, 'objects', 'info', 'alternates'));
  await Promise.all(left.map((path) => removeTree(path)));
}

/** What git takes for a repository: a head, objects and refs; what is there stays. */
async function makeRepository(repository: string, job: JobPayload): Promise<void> {
  await mkdir(repository, { recursive: true });
  await Promise.all([
    mkdir(join(repository, 'objects', 'pack'), { recursive: true }),
    mkdir(join(repository, 'refs'), { recursive: true }),
    // One that is there says what the working copy is at, which GIT_CHECKOUT=false leaves.
    writeFile(join(repository, 'HEAD'), 'ref: refs/heads/main\n', { flag: 'wx' }).catch(ignoreExisting),
    writeFile(join(repository, 'config'), repositoryConfiguration(job, process.platform)),
  ]);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function renew(directory: string): Promise<void> {
  await removeTree(directory);
  await mkdir(directory, { recursive: true });
}

/**
 * Whether there is a repository to fetch into. A file or link in place of one of its directories leads
 * elsewhere and is not reused. Where jobs are kept from
 * what the runner's user may do, neither are links anywhere within, nor repositories of submodules, which need their configuration.
 */
async function isReusable(directory: string, trusted: boolean): Promise<boolean> {
  const repository = join(directory, '.git');
  for (const path of [repository, join(repository, 'objects'), join(repository, 'refs')]) {
    const entry = await lstat(path).catch(() => undefined);
    if (!entry?.isDirectory()) return false;
  }
  if (trusted) return true;
  const entries = await readdir(repository, { recursive: true, withFileTypes: true });
  return entries.every((one) => {
    const isSubmodules = one.name === 'modules' && one.parentPath === repository;
    return (one.isDirectory() || one.isFile()) && !isSubmodules;
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function hasLfs(searchPath: string): Promise<boolean> {
  const found = searchPath.split(delimiter).map((directory) =>
    access(join(directory, 'git-lfs'), constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}
