import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { askedPause, Coordinator, describeAnswer, type Answer } from './coordinator.js';
import { OutputPipe } from './job-process.js';
import { identifyJob, parseJob, type JobPayload } from './job.payload.js';
import { pause } from './pause.js';
import { FIRST_POLL, nextPoll, type PollResult } from './polling.js';
import { runJob, type JobHost } from './run-job.js';
import { shortenToken } from './workspace.js';

export interface RunnerOptions {
  /** Of the coordinator, without `/api/v4`. */
  url: string;
  /** Runner authentication token (`glrt-…`). */
  token: string;
  /** Directory for checkouts, made if absent; of one runner process alone. */
  buildsDir: string;
  /** Jobs at once; 1 by default. */
  concurrency?: number;
  /** As job logs show it; the host name by default. */
  name?: string;
  /** Ends after so many jobs; without end by default. */
  maxBuilds?: number;
  /** Bytes of a job's output that its log takes; 4 MiB by default. */
  outputLimitBytes?: number;
  /** From SIGTERM to SIGKILL when a job is canceled gracefully; 10 minutes by default, as GitLab's runner. */
  terminationGraceMs?: number;
  /** Where jobs' allow-listed environment is taken from; the process's own by default. */
  environment?: NodeJS.ProcessEnv;
  /** Takes one line for the operator; standard output by default. */
  say?: (line: string) => void;
}

/** What an aborted job has to end its processes and be reported. */
const REPORT_MS = 8000;

/**
 * Takes jobs from a coordinator over GitLab's runner protocol and runs them in bash. Several may live in one process, each with a
 * builds directory of its own.
 */
export class Runner {
  private readonly concurrency: number;
  private readonly say: (line: string) => void;
  /** No new jobs. */
  private readonly draining = new AbortController();
  private readonly stopped = new AbortController();
  private readonly giveUp = new AbortController();
  /** Numbers of a project's jobs that run now, by project. */
  private readonly slots = new Map<number, Set<number>>();
  private claimed = 0;
  private running: Promise<void> | undefined;
  private lastTrouble = '';

  constructor(private readonly options: RunnerOptions) {
    this.concurrency = options.concurrency ?? 1;
    this.say = options.say ?? ((line) => void process.stdout.write(`${line}\n`));
  }

  /** Begins to ask for jobs. Troubles of the coordinator are said and survived; the end is told by `finished`. */
  start(): void {
    this.running ??= this.run();
    this.running.catch(() => undefined);
  }

  /**
   * Resolves when the runner has taken its last job and ended it: after `stop`, or with `maxBuilds`.
   * @throws when the builds directory cannot be used
   */
  async finished(): Promise<void> {
    await this.running;
  }

  /**
   * Takes no new jobs, gives the running ones a time to end, then aborts and reports them as failed. Resolves when all is over,
   * at most some ten seconds after that time. May be called again with a shorter time.
   * @param graceMs milliseconds; `Infinity` waits for the jobs however long they take
   */
  async stop(graceMs: number): Promise<void> {
    this.draining.abort();
    const settled = new AbortController();
    const over = (this.running ?? Promise.resolve()).catch(() => undefined).finally(() => settled.abort());
    if (Number.isFinite(graceMs)) {
      await pause(graceMs, settled.signal);
      if (!settled.signal.aborted) {
        this.stopped.abort();
        await pause(REPORT_MS, settled.signal);
        this.giveUp.abort();
      }
    }
    await over;
  }

  private async run(): Promise<void> {
    const buildsDir = resolve(this.options.buildsDir);
    const stateDir = join(buildsDir, '.flagfall');
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const systemId = await readSystemId(join(stateDir, 'system-id'));
    const coordinator = new Coordinator(this.options.url, this.options.token, systemId);
    const host: JobHost = {
      coordinator,
      name: this.options.name ?? hostname(),
      systemId,
      shortToken: shortenToken(this.options.token),
      runnerToken: this.options.token,
      buildsDir,
      stateDir,
      environment: this.options.environment ?? process.env,
      outputLimitBytes: this.options.outputLimitBytes ?? 4 * 1024 * 1024,
      terminationGraceMs: this.options.terminationGraceMs ?? 10 * 60_000,
      stopped: this.stopped.signal,
      giveUp: this.giveUp.signal,
    };
    // What is missing on the machine is told at the start, not when a job was taken.
    await (await createPipe(stateDir)).remove();
    try {
      await Promise.all(Array.from({ length: this.concurrency }, (_, worker) => this.work(worker, host)));
    } finally {
      coordinator.close();
    }
  }

  /** One worker: asks, runs what it gets, asks again. */
  private async work(worker: number, host: JobHost): Promise<void> {
    let polling = FIRST_POLL;
    while (!this.draining.signal.aborted && this.claimBuild()) {
      const pipe = await this.preparePipe(host.stateDir);
      if (pipe === undefined) return;
      try {
        while (!this.draining.signal.aborted) {
          const { result, body } = await this.poll(host.coordinator);
          const next = nextPoll(polling, result, Math.random());
          polling = next.state;
          if (result.kind === 'job') {
            await this.take(body, worker, pipe, host);
            break;
          }
          await pause(next.pauseMs, this.draining.signal);
        }
      } finally {
        await pipe.remove();
      }
    }
  }

  /** Takes no job while the machine has no room to run one; undefined when the runner stops meanwhile. */
  private async preparePipe(stateDir: string): Promise<OutputPipe | undefined> {
    while (!this.draining.signal.aborted) {
      try {
        return await createPipe(stateDir);
      } catch (error) {
        this.complain(`cannot prepare for a job: ${(error as Error).message}`);
        await pause(5000, this.draining.signal);
      }
    }
    return undefined;
  }

  /** One of `maxBuilds`, claimed before the request: a job that was handed out must be run. */
  private claimBuild(): boolean {
    if (this.claimed >= (this.options.maxBuilds ?? Infinity)) return false;
    this.claimed++;
    return true;
  }

  private async poll(coordinator: Coordinator): Promise<{ result: PollResult; body?: unknown }> {
    const asked = Date.now();
    let answer: Answer;
    try {
      answer = await coordinator.requestJob(this.draining.signal);
      if (answer.status === 201) {
        const body: unknown = JSON.parse(answer.body.toString());
        this.recover();
        return { result: { kind: 'job' }, body };
      }
    } catch (error) {
      if (!this.draining.signal.aborted)
        this.complain(`cannot ask ${this.options.url} for jobs: ${(error as Error).message}`);
      return { result: { kind: 'trouble', askedPauseMs: undefined } };
    }
    if (answer.status === 204) {
      this.recover();
      return { result: { kind: 'nothing', heldMs: Date.now() - asked } };
    }
    if (answer.status === 403) {
      this.complain(
        `${this.options.url} refuses the runner token ${shortenToken(this.options.token)} (${describeAnswer(answer)}): was the runner deleted or its token reset? Asking more slowly`,
      );
      return { result: { kind: 'refused' } };
    }
    this.complain(`${this.options.url} gives no job: ${describeAnswer(answer)}`);
    return { result: { kind: 'trouble', askedPauseMs: askedPause(answer.headers, Date.now()) } };
  }

  private async take(body: unknown, worker: number, pipe: OutputPipe, host: JobHost): Promise<void> {
    let job: JobPayload;
    try {
      job = parseJob(body);
    } catch (error) {
      return this.reportUnreadable(body, error as Error, host.coordinator);
    }
    const title = printable(`job ${job.id} (${job.name}) of ${job.projectPath || `project ${job.projectId}`}`);
    const project = this.occupySlot(job.projectId);
    this.say(`${title}: taken`);
    try {
      this.say(`${title}: ${printable(await runJob(job, { worker, project }, pipe, host))}`);
    } catch (error) {
      this.say(`${title}: failed, ${printable((error as Error).message)}`);
    } finally {
      this.slots.get(job.projectId)?.delete(project);
    }
  }

  private async reportUnreadable(body: unknown, error: Error, coordinator: Coordinator): Promise<void> {
    const job = identifyJob(body);
    this.say(`a job that cannot be read: ${printable(error.message)}`);
    if (job === undefined) return;
    const text = Buffer.from(`ERROR: Job failed: the runner cannot read the job: ${printable(error.message)}\n`);
    try {
      await coordinator.appendTrace(job, 0, text, false, this.giveUp.signal);
      await coordinator.updateJob(
        job,
        { state: 'failed', failure_reason: 'runner_system_failure' },
        this.giveUp.signal,
      );
    } catch (failure) {
      this.say(`job ${job.id}: could not be reported: ${(failure as Error).message}`);
    }
  }

  /** The lowest number that no running job of the project has; it names the checkout, so that it is found again. */
  private occupySlot(projectId: number): number {
    const used = this.slots.get(projectId) ?? new Set<number>();
    this.slots.set(projectId, used);
    let slot = 0;
    while (used.has(slot)) slot++;
    used.add(slot);
    return slot;
  }

  /** Says a trouble once, however many workers meet it and however often. */
  private complain(trouble: string): void {
    if (trouble !== this.lastTrouble) this.say(printable(trouble));
    this.lastTrouble = trouble;
  }

  private recover(): void {
    if (this.lastTrouble !== '') this.say(`${this.options.url} answers again`);
    this.lastTrouble = '';
  }
}

function createPipe(stateDir: string): Promise<OutputPipe> {
  return OutputPipe.create(join(stateDir, `pipe-${randomBytes(8).toString('hex')}`));
}

/** Tells this machine from others that use the same token (runner-api.md §1.8); made once and kept. */
async function readSystemId(path: string): Promise<string> {
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (/^[rs]_[0-9a-zA-Z]{12}$/.test(kept)) return kept;
  const fresh = `r_${randomBytes(6).toString('hex')}`;
  await writeFile(path, `${fresh}\n`, { mode: 0o600 });
  return fresh;
}

/** Names come from users: without control characters they cannot move the operator's cursor. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}
