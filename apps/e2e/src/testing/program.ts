import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { until } from '../../../../libs/messaging/src/testing/until.js';

export interface ProgramOptions {
  /** What the log calls it. */
  name: string;
  command: string;
  args: string[];
  /** All of its environment. */
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** Whom it runs as, where that is not whoever runs the tests. */
  user?: { uid: number; gid: number };
  /** What it prints when it works. */
  ready: RegExp;
  startMs?: number;
}

const startMs = 90_000;
const stopMs = 60_000;
const linesTold = 40;
const saidAtEveryStart = /"msg":"[\w-]+ (?:answers|handles) /;

/** A program that a test starts, ends in every way there is, and starts again. It never outlives the test. */
export class Program {
  readonly #options: ProgramOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<number | NodeJS.Signals> = Promise.resolve(0);
  #killGroup: () => void = () => undefined;
  #text = '';
  #frozen: number[] = [];

  constructor(options: ProgramOptions) {
    this.#options = options;
    process.once('exit', () => this.#killGroup());
  }

  get name(): string {
    return this.#options.name;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** @throws Error when it does not run */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** Everything it has printed, in all of its lives. */
  get output(): string {
    return this.#text;
  }

  /** The end of what it printed, for an error. */
  get lastLines(): string {
    const lines = this.#text.trimEnd().split('\n');
    return lines
      .filter((line) => !saidAtEveryStart.test(line))
      .slice(-linesTold)
      .join('\n');
  }

  /**
   * Starts it, and waits until it says that it works.
   * @throws Error with what it printed when it ends instead, or says nothing in time
   */
  async start(): Promise<void> {
    const { name, ready, startMs: limitMs = startMs } = this.#options;
    const from = this.#text.length;
    this.launch();
    await until(`${name} to start`, () => !this.running || ready.test(this.#text.slice(from)), limitMs).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; it printed:\n${this.lastLines}`);
      },
    );
    if (!this.running) throw new Error(`${name} ended at its start with ${await this.#ended}:\n${this.lastLines}`);
  }

  /** Starts it and does not wait. */
  launch(): void {
    const { name, command, args, env, cwd, user } = this.#options;
    if (this.#child) throw new Error(`${name} runs already`);
    // A group of its own: what a script like RabbitMQ's has started is to be killed with it.
    // By the run's name `bin/test.mjs` finds it, should the run be ended before its suites can.
    const marked = { ...env, TEST_NAMESPACE: process.env.TEST_NAMESPACE };
    const child = spawn(command, args, {
      cwd,
      env: marked,
      ...user,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#text += text));
    this.#child = child;
    this.#killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // There is nobody left in it.
      }
    };
    this.#ended = new Promise((resolve) => {
      const end = (how: number | NodeJS.Signals): void => {
        this.#child = undefined;
        this.#frozen = [];
        this.#killGroup();
        resolve(how);
      };
      child.once('error', (error) => {
        this.#text += `${error.message}\n`;
        end(-1);
      });
      // Not `close`: that waits for whoever has inherited the output.
      child.once('exit', (code, signal) => end(code ?? signal ?? -1));
    });
  }

  /**
   * Sends a signal and waits for the end. SIGINT goes to everything that it has started, too, as Ctrl-C in a terminal does.
   * @returns the exit code, or the signal that ended it
   * @throws Error when it does not end in time; then it is killed
   */
  async end(signal: NodeJS.Signals = 'SIGTERM', limitMs = stopMs): Promise<number | NodeJS.Signals> {
    const child = this.#child;
    if (!child) return this.#ended;
    this.thaw();
    if (signal === 'SIGKILL') this.#killGroup();
    else if (signal === 'SIGINT') process.kill(-this.pid, signal);
    else child.kill(signal);
    try {
      await until(`${this.name} to end by ${signal}`, () => !this.running, limitMs);
    } catch (error) {
      this.#killGroup();
      throw new Error(`${String(error)}; it printed:\n${this.lastLines}`, { cause: error });
    }
    return this.#ended;
  }

  /** Ends it as a power cut would: no more code of it runs. */
  kill(): Promise<number | NodeJS.Signals> {
    return this.end('SIGKILL');
  }

  /** The same with everything that it has started, in whatever group: each process of PostgreSQL has one of its own. */
  async killTree(): Promise<void> {
    this.freeze();
    for (const pid of this.#frozen.splice(0).slice(1)) signal(pid, 'SIGKILL');
    await this.kill();
  }

  /** Stops it and its children in their tracks; their connections stay open and say nothing. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
    this.#frozen = [this.pid, ...descendants(this.pid)];
    for (const pid of this.#frozen) process.kill(pid, 'SIGSTOP');
  }

  thaw(): void {
    for (const pid of this.#frozen.splice(0)) signal(pid, 'SIGCONT');
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended since it was seen.
  }
}

/** What a process and its descendants have in memory, in MiB, shared pages counted once; undefined where that is not told (it is on Linux). */
export function memoryOf(pid: number): number | undefined {
  try {
    const kibs = [pid, ...descendants(pid)].map((each) =>
      Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${each}/smaps_rollup`, 'utf8'))?.[1]),
    );
    return kibs.reduce((sum, kib) => sum + kib, 0) / 1024;
  } catch {
    return undefined;
  }
}

/** Children, their children and so on, on Linux; no program here has any elsewhere. */
function descendants(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}
