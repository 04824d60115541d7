import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inheritedOf } from '../../runner/src/job-environment.js';
import type { RunnerOrder, RunnerReport, RunnerSettings } from './built-in-runner.process.js';
import type { DataDirectory } from './data-directory.js';
import { CallRefused, type GatewayClient } from './gateway-client.js';

const program = fileURLToPath(new URL('./built-in-runner.process.js', import.meta.url));
/** Between the end of a runner that nobody asked to end and the next one. */
const restartMs = 1_000;

/**
 * The built-in runner, in a process of its own: starting a job's programs from a large process costs some ten milliseconds each, since
 * the pages of its memory are copied one table after the other, and what a job prints takes no time from HTTP. One that ends
 * without having been told to is started again.
 */
export class BuiltInRunner {
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  /** @param say takes one line for the operator */
  constructor(
    private readonly settings: RunnerSettings,
    private readonly say: (line: string) => void,
  ) {}

  start(): void {
    // Its environment can be read by every job: nothing of the services' is in it. Its token comes by the channel.
    const child = fork(program, {
      env: inheritedOf(process.env),
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.on('message', ({ line }: RunnerReport) => this.say(line));
    child.on('error', (error) => this.say(`the built-in runner could not be reached: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      if (this.#stopping) return;
      this.say(`the built-in runner ended (${signal ?? code}) and is started again`);
      this.#restart = setTimeout(() => this.start(), restartMs);
    });
    this.#tell({ run: this.settings });
  }

  /**
   * Takes no new jobs, gives the running ones a time to end, then reports them as failed. Resolves when the process is gone.
   * @param graceMs milliseconds
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.#tell({ stopMs: graceMs });
    await ended;
  }

  #tell(order: RunnerOrder): void {
    // One that has just ended is told by its exit.
    this.#child?.send(order, () => undefined);
  }
}

/**
 * The authentication token of the built-in runner: the one in the file `runner-token` as long as the gateway knows it, else a new runner's.
 * @throws CallRefused when the API says no
 */
export async function provideRunnerToken(data: DataDirectory, client: GatewayClient): Promise<string> {
  const kept = data.readSecret('runner-token');
  if (kept !== undefined && (await isKnown(kept, client))) return kept;
  const { token } = await client.post<{ token: string }>('/user/runners', {
    runner_type: 'instance_type',
    description: 'built-in runner of npm start',
  });
  data.writeSecret('runner-token', token);
  return token;
}

async function isKnown(token: string, client: GatewayClient): Promise<boolean> {
  try {
    await client.post('/runners/verify', { token });
    return true;
  } catch (error) {
    if (error instanceof CallRefused && error.status === 403) return false;
    throw error;
  }
}
