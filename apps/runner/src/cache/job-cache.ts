import { createHash } from 'node:crypto';
import { packZip } from '../archive/pack.js';
import { selectFiles, type SelectedFile } from '../archive/select-files.js';
import { readZipComment, unpackZip, type UnpackRoom } from '../archive/unpack.js';
import type { CacheSpec } from '../job.payload.js';
import type { JobLog } from '../job-log.js';
import type { CacheStore } from './cache-store.js';

interface CacheRun {
  store: CacheStore;
  /** Of keys: the project's. */
  scope: string;
  /** The checkout. */
  directory: string;
  room: UnpackRoom;
  log: JobLog;
  /** For git, where untracked files are asked for. */
  env: NodeJS.ProcessEnv;
  /** Key where the job names none. */
  defaultKey: string;
  /** `CACHE_FALLBACK_KEY`. */
  fallbackKey: string;
  /** `RESTORE_CACHE_ATTEMPTS`. */
  attempts: number;
  expand(text: string): string;
  /** Ends all. */
  signal: AbortSignal;
}

/** Whether a cache is to be restored (`pull`) or saved (`push`). A policy that is neither is told when it is restored. */
export function followsPolicy(
  { policy }: CacheSpec,
  direction: 'pull' | 'push',
  expand: (text: string) => string,
): boolean {
  const chosen = expand(policy);
  // A variable without a value, or a word that GitLab does not know, leaves the default.
  return !['pull', 'push'].includes(chosen) || chosen === direction;
}

/** Unpacks what there is for the first of a cache's keys that has something. No failure of a cache is one of the job. */
export async function restoreCache(spec: CacheSpec, run: CacheRun): Promise<void> {
  const { log, store } = run;
  const keys = [keyOf(spec, run), ...spec.fallbackKeys.map(run.expand), ...ownFallbackKey(run)].filter(
    (key) => key !== '',
  );
  for (const key of new Set(keys)) {
    log.line(`\x1b[32;1mChecking cache for ${key}...\x1b[0;m`);
    const path = store.locate(run.scope, key);
    if (!(await store.touch(path))) {
      log.line('\x1b[0;33mWARNING: Cache file does not exist\x1b[0;m');
      continue;
    }
    for (let left = run.attempts; left > 0; left--) {
      try {
        await unpackZip(path, run.directory, run.room, run.signal);
        log.line('\x1b[32;1mSuccessfully extracted cache\x1b[0;m');
        return;
      } catch (error) {
        run.signal.throwIfAborted();
        log.line(`\x1b[0;33mWARNING: Failed to extract cache: ${(error as Error).message}\x1b[0;m`);
      }
    }
  }
}

/** Packs a cache and keeps it under its key. */
export async function saveCache(spec: CacheSpec, run: CacheRun): Promise<void> {
  const { log, store, directory } = run;
  const key = keyOf(spec, run);
  log.line(`\x1b[32;1mCreating cache ${key}...\x1b[0;m`);
  try {
    const selection = {
      paths: spec.paths.map(run.expand).filter((path) => path !== ''),
      exclude: [],
      untracked: spec.untracked,
    };
    const { files, notes } = await selectFiles(directory, selection, run.env);
    for (const { warning, text } of notes) log.line(warning ? `\x1b[0;33mWARNING: ${text}\x1b[0;m` : text);
    if (files.length === 0) return log.line('\x1b[0;33mWARNING: No files to cache\x1b[0;m');
    const path = store.locate(run.scope, key);
    const state = fingerprint(files);
    if ((await readZipComment(path)) === state && (await store.touch(path))) return log.line('Archive is up to date!');
    await store.keep(path, packZip(directory, files, state), run.signal);
    log.line('\x1b[32;1mCreated cache\x1b[0;m');
  } catch (error) {
    run.signal.throwIfAborted();
    log.line(`\x1b[0;33mWARNING: Failed to create cache: ${(error as Error).message}\x1b[0;m`);
  }
}

function keyOf({ key }: CacheSpec, { expand, defaultKey }: CacheRun): string {
  return expand(key).trim() || defaultKey;
}

/** Keys of protected refs are not for everybody who can set a variable. */
function ownFallbackKey({ fallbackKey, log }: CacheRun): string[] {
  if (!fallbackKey.trim().endsWith('-protected')) return [fallbackKey.trim()];
  log.line(`\x1b[0;33mWARNING: CACHE_FALLBACK_KEY ${JSON.stringify(fallbackKey)} may not end in "-protected"\x1b[0;m`);
  return [];
}

/**
 * Tells without reading them whether files are the ones that were packed. Times count to the millisecond, though an archive keeps
 * seconds: two versions of a file may be made in one second, and it only costs packing a cache once more after it was first restored.
 */
function fingerprint(files: readonly SelectedFile[]): string {
  const hash = createHash('sha256');
  for (const { path, kind, mode, size, modifiedAt } of files) {
    const content = kind === 'directory' ? '' : `${size} ${modifiedAt.getTime()}`;
    hash.update(`${JSON.stringify(path)} ${kind} ${mode} ${content}\n`);
  }
  return hash.digest('hex');
}
