import type { JobPayload } from './job.payload.js';
import { remoteUrl } from './git-remote.js';
import { quote } from './script.js';
import { RUNNER_VERSION } from './version.js';

type GitStrategy = 'clone' | 'fetch' | 'none' | 'empty';

/** What `get_sources` reads out of the job's variables. */
export type Settings = (name: string) => string | undefined;

/**
 * @throws {Error} when `GIT_STRATEGY` is none of the four
 */
export function gitStrategy(job: JobPayload, setting: Settings): GitStrategy {
  const chosen = setting('GIT_STRATEGY') ?? '';
  if (chosen === '') return job.allowGitFetch ? 'fetch' : 'clone';
  if (chosen === 'clone' || chosen === 'fetch' || chosen === 'none' || chosen === 'empty') return chosen;
  throw new Error(`unknown GIT_STRATEGY ${JSON.stringify(chosen)}; it is one of clone, fetch, none, empty`);
}

/**
 * Refuses what git would take for an option or for something other than a commit.
 * @throws {Error} saying which part of the job's git information is wrong
 */
export function checkGitInfo({ git }: JobPayload): void {
  if (git.repoUrl === '') throw new Error('the job names no repository (git_info.repo_url is empty)');
  if (git.repoUrl.startsWith('-') || /[\0\n\r]/.test(git.repoUrl)) throw new Error('the repository URL is malformed');
  if (!/^[0-9a-f]{8,64}$/.test(git.sha)) throw new Error('the commit of the job (git_info.sha) is not a commit id');
  if (git.refspecs.some((refspec) => refspec.startsWith('-') || /[\0\n\r]/.test(refspec))) {
    throw new Error('a refspec of the job is malformed');
  }
}

/**
 * The checkout's configuration, as `git init` and `git remote add` would make it, without credentials. Written and not made by git,
 * since each of its processes costs as much as the rest of a small job; and written anew for each job, so that nothing is in it that an
 * earlier one left.
 * @param platform decides, as `git init` would find out, whether file names are one in upper and lower case
 */
export function repositoryConfiguration({ git }: JobPayload, platform: NodeJS.Platform): string {
  const url = remoteUrl(git.repoUrl).replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  const isSha256 = git.objectFormat === 'sha256';
  return [
    '[core]',
    `\trepositoryformatversion = ${isSha256 ? 1 : 0}`,
    '\tfilemode = true',
    '\tbare = false',
    '\tlogallrefupdates = true',
    ...(platform === 'darwin' ? ['\tignorecase = true', '\tprecomposeunicode = true'] : []),
    ...(isSha256 ? ['[extensions]', '\tobjectformat = sha256'] : []),
    '[remote "origin"]',
    `\turl = "${url}"`,
    '\tfetch = +refs/heads/*:refs/remotes/origin/*',
    '[fetch]',
    '\trecurseSubmodules = false',
    '[http]',
    `\tuserAgent = "flagfall-runner ${RUNNER_VERSION}"`,
    '',
  ].join('\n');
}

/**
 * Arguments of `git fetch` (runner-api.md §6.3).
 * @param copy at hand: none, one with all of its history, or one that lacks some
 */
export function fetchArguments({ git }: JobPayload, setting: Settings, copy: 'none' | 'whole' | 'shallow'): string[] {
  const history = git.depth > 0 ? ['--depth', String(git.depth)] : copy === 'shallow' ? ['--unshallow'] : [];
  // There is nothing to tidy up in what was fetched just now.
  const untidied = copy === 'none' ? ['-c', 'maintenance.auto=false', '-c', 'gc.auto=0'] : [];
  const extra = words(setting('GIT_FETCH_EXTRA_FLAGS'), ['--prune', '--quiet']);
  return [...untidied, 'fetch', '--no-recurse-submodules', ...history, ...extra, '--', 'origin', ...git.refspecs];
}

/** Arguments of `git clean`; undefined where `GIT_CLEAN_FLAGS` is `none`. */
export function cleanArguments(setting: Settings): string[] | undefined {
  return setting('GIT_CLEAN_FLAGS') === 'none' ? undefined : ['clean', ...words(setting('GIT_CLEAN_FLAGS'), ['-ffdx'])];
}

/**
 * The git calls that bring the submodules, by `GIT_SUBMODULE_STRATEGY` and its companions; none where it is `none` or not set.
 * @param reused whether the copy at hand may hold what an earlier job left in its submodules
 * @throws {Error} when the strategy is unknown
 */
export function submoduleArguments({ git }: JobPayload, setting: Settings, reused: boolean): string[][] {
  const strategy = setting('GIT_SUBMODULE_STRATEGY') ?? '';
  if (strategy === '' || strategy === 'none') return [];
  if (strategy !== 'normal' && strategy !== 'recursive') {
    throw new Error(`unknown GIT_SUBMODULE_STRATEGY ${JSON.stringify(strategy)}; it is one of none, normal, recursive`);
  }
  const recursive = strategy === 'recursive' ? ['--recursive'] : [];
  const depth = Number(setting('GIT_SUBMODULE_DEPTH') ?? '') || git.depth;
  const history = depth > 0 ? ['--depth', String(depth)] : [];
  const paths = words(setting('GIT_SUBMODULE_PATHS'), []);
  const flags = words(setting('GIT_SUBMODULE_UPDATE_FLAGS'), []);
  const clean = cleanArguments(setting);
  const each = (command: string) => ['submodule', '--quiet', 'foreach', ...recursive, command];
  return [
    ['submodule', 'init', ...(paths.length > 0 ? ['--', ...paths] : [])],
    ['submodule', 'sync', ...recursive, ...(paths.length > 0 ? ['--', ...paths] : [])],
    [
      'submodule',
      'update',
      '--init',
      ...recursive,
      ...history,
      ...flags,
      ...(paths.length > 0 ? ['--', ...paths] : []),
    ],
    ...(reused ? [each('git reset --quiet --hard')] : []),
    ...(reused && clean ? [each(`git ${clean.map(quote).join(' ')}`)] : []),
  ];
}

/** How often a section is tried: 1 to 10 (runner-api.md §2.7). */
export function attempts(value: string | undefined): number {
  const number = Number(value ?? '');
  return Number.isInteger(number) && number >= 1 && number <= 10 ? number : 1;
}

function words(text: string | undefined, otherwise: string[]): string[] {
  const found = (text ?? '').split(/\s+/).filter((word) => word !== '');
  return found.length > 0 ? found : otherwise;
}
