import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { GitInfo, JobPayload, JobVariable } from './job.payload.js';
import { gitCredentials } from './git-remote.js';
import { isTrue, parseEnvironmentFile, type ReadyVariable } from './variables.js';

/** The directories of one job (runner-api.md §6.2). All but `project` are removed at its end. */
export interface Workspace {
  /** The checkout, kept so that the next job of the project fetches only what is new. */
  project: string;
  /** Beside the checkout: file variables, scripts, the job's home. */
  temporary: string;
  /** `HOME` of the job, fresh each time: what one job leaves there would act in the next. */
  home: string;
}

/**
 * Where a job's directories lie: `<builds>/<short token>/<slot>/<path of the repository>`, and `project-<id>` in place of the path
 * where the URL has no host or its path cannot be a directory below ours.
 */
export function locateWorkspace(buildsDir: string, shortToken: string, slot: number, job: JobPayload): Workspace {
  const project = join(buildsDir, shortToken, String(slot), projectDirectory(job.git, job.projectId));
  const temporary = `${project}.tmp`;
  return { project, temporary, home: join(temporary, 'home') };
}

/** The directory of a project below a slot's. */
export function projectDirectory(git: GitInfo, projectId: number): string {
  const fallback = `project-${projectId}`;
  if (!URL.canParse(git.repoUrl)) return fallback;
  const url = new URL(git.repoUrl);
  if (url.host === '') return fallback;
  const segments = url.pathname
    .replace(/\.git\/*$/, '')
    .split('/')
    .filter((segment) => segment !== '');
  // A name in .tmp could be the temporary directory of another project.
  const plain = segments.every(
    (segment) => /^[A-Za-z0-9_.~%+-]{1,200}$/.test(segment) && !/^\.+$|\.tmp$/.test(segment),
  );
  return segments.length > 0 && plain ? join(...segments) : fallback;
}

/** The part of a runner token that names it in directories and logs: nine characters after prefix and partition (runner-api.md §1.1). */
export function shortenToken(token: string): string {
  return token
    .replace(/^glrtr?-(?:t\d_)?/, '')
    .slice(0, 9)
    .replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

/** The file of a file variable. */
export function variableFile(workspace: Workspace, key: string): string {
  return join(workspace.temporary, 'variables', basename(key));
}

/** The file that a job's scripts may write variables to, for the scripts after them. */
export function environmentFile(workspace: Workspace): string {
  return join(workspace.temporary, 'gitlab_runner_env');
}

/** More than any job hands over from script to script. */
const LARGEST_ENVIRONMENT_FILE_BYTES = 1024 * 1024;

/** The variables that the job's scripts wrote to that file; none where it is no ordinary file: in a container it is the job's. */
export async function readEnvironmentFile(workspace: Workspace): Promise<JobVariable[]> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(environmentFile(workspace), flags).catch(() => undefined);
  try {
    const found = await file?.stat();
    if (!file || !found?.isFile() || found.size === 0 || found.size > LARGEST_ENVIRONMENT_FILE_BYTES) return [];
    return parseEnvironmentFile(await file.readFile('utf8'));
  } finally {
    await file?.close();
  }
}

/**
 * Makes the temporary directory anew, with file variables and git's configuration in it, readable for the runner's user alone.
 * @param shared whether a container's user, whoever that is, has to read it too; then the directory above it is closed to others
 */
export async function prepareWorkspace(
  workspace: Workspace,
  job: JobPayload,
  variables: readonly ReadyVariable[],
  shared: boolean,
): Promise<void> {
  await removeTree(workspace.temporary);
  await mkdir(workspace.project, { recursive: true });
  const [directory, file, written] = shared ? [0o755, 0o644, 0o666] : [0o700, 0o600, 0o600];
  await mkdir(workspace.temporary, { mode: directory });
  await Promise.all([
    mkdir(workspace.home, { mode: 0o700 }),
    mkdir(join(workspace.temporary, 'variables'), { mode: directory }),
  ]);
  await Promise.all([
    ...variables
      .filter((variable) => variable.file && isFileName(variable.key))
      .map((variable) => writeFile(variableFile(workspace, variable.key), variable.value, { mode: file, flag: 'wx' })),
    writeFile(environmentFile(workspace), '', { mode: file, flag: 'wx' }),
    writeGitConfiguration(workspace, job.git.repoUrl, variables),
  ]);
  // Not at its making: the process's umask would take from it.
  if (shared) await chmod(environmentFile(workspace), written);
}

function isFileName(key: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]{0,200}$/.test(key);
}

/**
 * Credentials of the repository's URL as a store that git asks when a host wants some (runner-api.md §6.4): in the job's home, so
 * neither on a command line nor in the repository's configuration, gone with the home, and good for further clones in scripts.
 * The helpers of the machine's own configuration are put aside: they would keep the job token.
 */
async function writeGitConfiguration(
  workspace: Workspace,
  repoUrl: string,
  variables: readonly ReadyVariable[],
): Promise<void> {
  const configuration: string[] = submoduleUrls(variables);
  const credentials = gitCredentials(repoUrl);
  if (credentials !== undefined) {
    const store = join(workspace.temporary, 'git-credentials');
    const shellWord = `'${store.replaceAll("'", `'\\''`)}'`;
    const helper = `store --file=${shellWord}`.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    await writeFile(store, `${credentials}\n`, { mode: 0o600, flag: 'wx' });
    configuration.push('[credential]', '\thelper =', `\thelper = "${helper}"`);
  }
  if (configuration.length === 0) return;
  const path = join(workspace.home, '.gitconfig');
  await writeFile(path, `${configuration.join('\n')}\n`, { mode: 0o600, flag: 'wx' });
}

/** `GIT_SUBMODULE_FORCE_HTTPS`: SSH addresses on the coordinator's host become its own HTTP ones, which the job token opens (runner-api.md §2.7). */
function submoduleUrls(variables: readonly ReadyVariable[]): string[] {
  const value = (key: string) => variables.find((variable) => variable.key === key)?.value ?? '';
  const host = value('CI_SERVER_HOST');
  const server = (value('CI_SERVER_URL') || `https://${host}`).replace(/\/+$/, '');
  const sshHost = value('CI_SERVER_SHELL_SSH_HOST') || host;
  const port = value('CI_SERVER_SHELL_SSH_PORT') || '22';
  const isServer = /^https?:\/\/[A-Za-z0-9.:[\]/_~-]+$/.test(server);
  const isHost = /^[A-Za-z0-9.-]+$/.test(sshHost);
  if (!isTrue(value('GIT_SUBMODULE_FORCE_HTTPS')) || !isServer || !isHost || !/^\d+$/.test(port)) return [];
  const addresses = [`git@${sshHost}:`, `ssh://git@${sshHost}/`, `ssh://git@${sshHost}:${port}/`];
  return [`[url "${server}/"]`, ...addresses.map((address) => `\tinsteadOf = "${address}"`)];
}

/** Removes a directory and all in it, also where a job took the right to write from directories (as module caches do). */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    // `rm` gives up at the first refusal while others of its removals still run: entries vanish under the walk.
    await allowWriting(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function allowWriting(directory: string): Promise<void> {
  try {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) await allowWriting(join(directory, entry.name));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
