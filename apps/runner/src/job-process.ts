import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { constants, closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { constants as osConstants } from 'node:os';
import { promisify } from 'node:util';
import { killMarked, type JobMarker } from './job-marker.js';
import { pause } from './pause.js';

/** After an abort a process group has so long to end by itself. */
const ABORT_GRACE_MS = 2000;
/** Output already written is in the pipe when the process ends; only a child that escaped keeps the pipe open longer. */
const OUTPUT_END_MS = 250;

const CLOSE_ON_EXEC = 0o2000000;

/**
 * What stands in a job for the runner's open files, by their number: the null device for each that whoever started the runner had left open for its
 * children. Node itself keeps only the lowest of these from its own children, and cannot close what it does not know. Only Linux tells which there are.
 */
const COVERED = coverInherited();

function coverInherited(): ('ignore' | number)[] {
  const inherited = listDescriptors().filter((descriptor) => descriptor > 2 && isInheritable(descriptor));
  if (inherited.length === 0) return [];
  const nothing = openSync('/dev/null', constants.O_RDWR);
  return Array.from({ length: Math.max(...inherited) - 2 }, (_, index) =>
    inherited.includes(index + 3) ? nothing : 'ignore',
  );
}

function listDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isInheritable(descriptor: number): boolean {
  try {
    const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    return false; // It was only open while the directory was read.
  }
}

/**
 * The pipe in which a job's processes write stdout and stderr, in order. A named pipe, since Node gives children sockets, on which
 * `echo x > /dev/stderr` fails. One for each job, so that nothing left of one job can write into the log of another; made before
 * the job is known, because `mkfifo` costs some milliseconds.
 */
export class OutputPipe {
  private constructor(private readonly path: string) {}

  /** @throws when `mkfifo` is missing or the directory cannot be written */
  static async create(path: string): Promise<OutputPipe> {
    await promisify(execFile)('mkfifo', ['-m', '600', path], { timeout: 10_000 });
    return new OutputPipe(path);
  }

  /** Both ends; the writing one is for a child and to be closed here once it runs. */
  open(): { reader: net.Socket; writer: number } {
    // The reading end first and without waiting: then neither open can block.
    const end = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const writer = openSync(this.path, constants.O_WRONLY);
      return { reader: new net.Socket({ fd: end, readable: true, writable: false }), writer };
    } catch (error) {
      closeSync(end);
      throw error;
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/** A reason to end a group early: SIGTERM when the signal comes, SIGKILL after the time that it gives. */
export interface ProcessEnding {
  signal: AbortSignal;
  graceMs: number;
}

export interface ProcessRun {
  file: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  pipe: OutputPipe;
  marker: JobMarker;
  onOutput(chunk: Buffer): void;
  endings?: readonly ProcessEnding[];
  /** When it resolves, a line is written to the program's descriptor 3, for which it may wait; where it is not given, nothing is to be read there. */
  gate?: Promise<unknown>;
  /** Ends the group within two seconds. */
  abort: AbortSignal;
}

/**
 * Runs a program in a process group and session of its own, stdin from the null device, and returns its exit code, 128 + n when
 * signal n ended it. When it returns, its output has been taken in and its group is gone.
 * @throws when the program cannot be started, and what `onOutput` threw
 */
export async function runProcess(run: ProcessRun): Promise<number> {
  run.abort.throwIfAborted();
  const { reader, writer } = run.pipe.open();
  let failure: Error | undefined;
  const unheard = new AbortController();
  const outputEnd = new Promise<void>((resolve) => {
    reader.on('data', (chunk: Buffer) => {
      try {
        if (failure === undefined) run.onOutput(chunk);
      } catch (error) {
        // A full disk, say. Thrown from here it would end the whole runner.
        failure = error as Error;
        unheard.abort();
      }
    });
    reader.on('error', () => undefined);
    reader.on('close', resolve);
  });
  const done = new AbortController();
  try {
    let child: ChildProcess;
    try {
      child = spawn(run.file, run.args, {
        cwd: run.cwd,
        env: { ...run.env, [run.marker.name]: run.marker.value },
        stdio: ['ignore', writer, writer, ...(run.gate ? ['pipe' as const, ...COVERED.slice(1)] : COVERED)],
        detached: true,
      });
    } finally {
      closeSync(writer);
    }
    const exited = new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(code ?? 128 + osConstants.signals[signal!]));
    });
    const gate = child.stdio[3] as net.Socket | undefined;
    // Whoever waited may have been ended meanwhile.
    gate?.on('error', () => undefined);
    void run.gate?.then(() => gate?.end('\n'));
    const group = child.pid;
    if (group !== undefined) {
      void endOnSignal(group, run.abort, ABORT_GRACE_MS, done.signal);
      void endOnSignal(group, unheard.signal, 0, done.signal);
      for (const { signal, graceMs } of run.endings ?? []) void endOnSignal(group, signal, graceMs, done.signal);
    }
    const code = await exited;
    if (group !== undefined) killGroup(group, 'SIGKILL');
    await Promise.race([outputEnd, pause(OUTPUT_END_MS, done.signal)]);
    if (!reader.destroyed) {
      await killMarked(run.marker);
      await Promise.race([outputEnd, pause(OUTPUT_END_MS, done.signal)]);
    }
    if (failure !== undefined) throw failure;
    return code;
  } finally {
    done.abort();
    reader.destroy();
  }
}

async function endOnSignal(group: number, signal: AbortSignal, graceMs: number, done: AbortSignal): Promise<void> {
  await aborted(signal, done);
  if (done.aborted) return;
  killGroup(group, 'SIGTERM');
  await pause(graceMs, done);
  if (!done.aborted) killGroup(group, 'SIGKILL');
}

/** Resolves as soon as one of the signals is aborted. */
function aborted(...signals: AbortSignal[]): Promise<void> {
  const any = AbortSignal.any(signals);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // ESRCH: the group is empty; EPERM: what remains of it runs as another user (su, sudo) and is not ours to end.
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
