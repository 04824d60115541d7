import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Who holds the directory. The start time tells a process from a later one that was given the same number. */
interface Holder {
  pid: number;
  startedAt: string;
  /** Random, so that a lock is only ever given back by whoever made it. */
  id: string;
}

/** The secrets kept there, one to a file of mode 0600. */
export type SecretName = 'root-token' | 'demo-token' | 'runner-token' | 'secret-key';

/** The directory that holds everything `npm start` keeps. At most one process has it. */
export class DataDirectory {
  private constructor(
    readonly path: string,
    private readonly mine: string,
  ) {}

  /**
   * Creates the directory (mode 0700) where it is missing, and takes it. What a killed process left of its lock does not count.
   * @throws Error with a sentence for the operator when another process has it, or when it cannot be written
   */
  static take(directory: string): DataDirectory {
    const path = resolve(directory);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return new DataDirectory(path, lock(path));
    } catch (error) {
      if (error instanceof DirectoryTaken) throw error;
      throw new Error(
        `The data directory ${path} cannot be used: ${(error as Error).message}. Give its user the right to write there, or set DATA_DIR to another directory.`,
        { cause: error },
      );
    }
  }

  /** A secret's text, or undefined when there is none yet. */
  readSecret(name: SecretName): string | undefined {
    const file = join(this.path, name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  }

  /** Keeps a secret, whole or not at all. */
  writeSecret(name: SecretName, value: string): void {
    const file = join(this.path, name);
    const draft = `${file}.${randomUUID()}`;
    writeFileSync(draft, `${value}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  }

  /** A secret that is made at the first start and the same ever after. */
  secret(name: SecretName, make: () => string): string {
    const kept = this.readSecret(name);
    if (kept) return kept;
    const made = make();
    this.writeSecret(name, made);
    return made;
  }

  /** Gives the directory back. */
  release(): void {
    if (readText(lockFile(this.path)) === this.mine) rmSync(lockFile(this.path));
  }
}

/** Another process has the directory. */
export class DirectoryTaken extends Error {
  constructor(path: string, pid: number) {
    super(
      `The data directory ${path} is in use by another Flagfall (process ${pid}). ` +
        `Stop that one first, or set DATA_DIR (and PORT) to start a second one beside it.`,
    );
  }
}

const lockFile = (path: string) => join(path, 'lock');

/**
 * Node has no advisory file locks, so: a file made by link(2), which only one process succeeds with, naming its holder.
 * @returns the text of our lock
 */
function lock(path: string): string {
  const mine = JSON.stringify({
    pid: process.pid,
    startedAt: startOf(process.pid) ?? '',
    id: randomUUID(),
  } satisfies Holder);
  const draft = `${lockFile(path)}.${randomUUID()}`;
  writeFileSync(draft, mine, { mode: 0o600, flag: 'wx' });
  try {
    while (!links(draft, lockFile(path))) {
      const found = readText(lockFile(path));
      if (found === undefined) continue; // It was given back just now.
      const holder = parseHolder(found);
      if (holder && startOf(holder.pid) === holder.startedAt) throw new DirectoryTaken(path, holder.pid);
      setAside(path, found);
    }
  } finally {
    rmSync(draft);
  }
  return mine;
}

/** Removes a lock whose holder is gone. Another start may do the same at this moment: what it has just made is put back. */
function setAside(path: string, stale: string): void {
  const aside = `${lockFile(path)}.${randomUUID()}`;
  try {
    renameSync(lockFile(path), aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readText(aside) !== stale) links(aside, lockFile(path));
  rmSync(aside);
}

function links(existing: string, name: string): boolean {
  try {
    linkSync(existing, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What a full disk cut short names nobody. */
function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return Number.isInteger(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** When a process was started, in words that are equal for the same process only; undefined when there is none of that number. */
function startOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    const stat = readText(`/proc/${pid}/stat`);
    // Field 22, counted behind the name in brackets, which may itself hold spaces and brackets: proc(5).
    const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    // Ticks since the machine was started: which start that was belongs to it.
    return ticks && `${readText('/proc/sys/kernel/random/boot_id')?.trim()} ${ticks}`;
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}
