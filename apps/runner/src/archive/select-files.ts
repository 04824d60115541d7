import { execFile } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { isAbsolute, join, normalize, relative } from 'node:path';
import { promisify } from 'node:util';
import { PathPattern, type Position } from './path-pattern.js';

/** Which files of a checkout an entry of `artifacts` or `cache` means. */
export interface Selection {
  /** Patterns, relative to the checkout or absolute within it. */
  paths: readonly string[];
  exclude: readonly string[];
  /** Also what git does not know, ignored files included. */
  untracked: boolean;
}

/** Something to pack. `path` is relative, with `/`; links are packed as links, wherever they lead. */
export interface SelectedFile {
  path: string;
  kind: 'file' | 'directory' | 'link';
  /** Permissions alone. */
  mode: number;
  modifiedAt: Date;
  size: number;
}

/** What the log says about the selection. */
export interface SelectionNote {
  warning: boolean;
  text: string;
}

/**
 * Finds what a selection means, sorted by path, each entry once. A directory means all in it. Links are never followed, and nothing
 * outside of `root` is found, whatever a pattern or a job's links say. `.git` is left out: unpacked by a later job it would replace
 * that job's own.
 * @param env for git, when untracked files are asked for
 */
export async function selectFiles(
  root: string,
  { paths, exclude, untracked }: Selection,
  env: NodeJS.ProcessEnv,
): Promise<{ files: SelectedFile[]; notes: SelectionNote[] }> {
  const notes: SelectionNote[] = [];
  const warn = (text: string) => notes.push({ warning: true, text });
  const found = new Map<string, SelectedFile>();
  const excluding = exclude.map((text) => ({
    text,
    patterns: PathPattern.parse(pathWithin(root, text) ?? ''),
    count: 0,
  }));
  const add = async (path: string): Promise<boolean> => {
    if (found.has(path)) return true;
    const excluded = excluding.find(({ patterns }) => patterns.some((pattern) => pattern.matches(path)));
    if (excluded) {
      excluded.count++;
      return false;
    }
    const file = await describeFile(root, path);
    if (typeof file === 'string') warn(`${path}: ${file}`);
    else found.set(path, file);
    return typeof file !== 'string';
  };

  for (const text of paths) {
    const within = pathWithin(root, text);
    if (within === undefined) {
      warn(`artifact path is not a subpath of project directory: ${text}`);
      continue;
    }
    let count = 0;
    for await (const path of walk(root, PathPattern.parse(within))) if (await add(path)) count++;
    if (count > 0)
      notes.push({ warning: false, text: `${text}: found ${count} matching artifact files and directories` });
    else
      warn(`${text}: no matching files. Ensure that the artifact path is relative to the working directory (${root})`);
  }
  if (untracked) {
    let count = 0;
    for (const path of await listUntracked(root, env)) if (await add(path)) count++;
    notes.push({ warning: false, text: `untracked: found ${count} files` });
  }
  for (const { text, count } of excluding) {
    if (count > 0) notes.push({ warning: false, text: `${text}: excluded ${count} files` });
  }
  const files = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, notes };
}

/** A pattern relative to the checkout, the empty one for the checkout itself; undefined when it leads out. */
function pathWithin(root: string, text: string): string | undefined {
  const path = normalize(isAbsolute(text) ? relative(root, normalize(text)) : text).replace(/\/+$/, '');
  if (path === '..' || path.startsWith('../')) return undefined;
  return path === '.' ? '' : path;
}

/** Every path that matches one of the patterns, and everything below such a directory. */
async function* walk(root: string, patterns: readonly PathPattern[]): AsyncGenerator<string> {
  yield* enter(
    '',
    patterns.map((pattern) => ({ pattern, position: pattern.start })),
    false,
  );

  async function* enter(
    directory: string,
    states: readonly { pattern: PathPattern; position: Position }[],
    all: boolean,
  ): AsyncGenerator<string> {
    const takeAll = all || states.some(({ pattern, position }) => pattern.isMatch(position));
    // A directory that cannot be read, or went away, has nothing to give.
    const entries = await readdir(join(root, directory), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (path === '.git') continue;
      const next = states
        .map(({ pattern, position }) => ({ pattern, position: pattern.step(position, entry.name) }))
        .filter(({ position }) => position.size > 0);
      if (takeAll || next.some(({ pattern, position }) => pattern.isMatch(position))) yield path;
      if (entry.isDirectory() && (takeAll || next.length > 0)) yield* enter(path, next, takeAll);
    }
  }
}

/** @returns why it cannot be packed, when it cannot */
async function describeFile(root: string, path: string): Promise<SelectedFile | string> {
  // The archive would take a backslash for a slash, and what is no UTF-8 cannot be found again by its decoded name.
  if (path.includes('\\')) return 'its name has a backslash and cannot be packed';
  const entry = await lstat(join(root, path)).catch(() => undefined);
  if (entry === undefined) return 'it cannot be read';
  const kind = entry.isFile()
    ? 'file'
    : entry.isDirectory()
      ? 'directory'
      : entry.isSymbolicLink()
        ? 'link'
        : undefined;
  if (kind === undefined) return 'it is neither file, directory nor link';
  return { path, kind, mode: entry.mode & 0o777, modifiedAt: entry.mtime, size: entry.size };
}

/** The job may have written git's configuration: nothing of it may name a program to run. */
async function listUntracked(root: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const args = [
    '-c',
    'core.fsmonitor=false',
    '-c',
    'core.hooksPath=/dev/null',
    `--work-tree=${root}`,
    `--git-dir=${root}/.git`,
  ];
  const { stdout } = await promisify(execFile)('git', [...args, 'ls-files', '--others', '-z'], {
    cwd: root,
    env: { ...env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
    maxBuffer: 256 * 1024 * 1024,
  }).catch((error: Error) => {
    throw new Error(`the untracked files cannot be listed: ${error.message.trim()}`, { cause: error });
  });
  return stdout.split('\0').filter((path) => path !== '' && pathWithin(root, path) === path.replace(/\/+$/, ''));
}
