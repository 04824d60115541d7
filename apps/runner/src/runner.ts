import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { UnpackRoom } from './archive/unpack.js';
import { CacheStore } from './cache/cache-store.js';
import { askedPause, Coordinator, describeAnswer } from './coordinator.js';
import { checkDocker, type DockerSettings } from './executors/docker.executor.js';
import type { Answer } from './http-client.js';
import { DirectoryLock } from './directory-lock.js';
import { killLeftBehind } from './job-marker.js';
import { OutputPipe } from './job-process.js';
import { identifyJob, parseJob, type JobPayload } from './job.payload.js';
import { pause } from './pause.js';
import { FIRST_POLL, nextPoll, type PollResult } from './polling.js';
import { runJob, type JobHost } from './run-job.js';
import { readSystemId, stateDirectory, SYSTEM_ID } from './system-id.js';
import { projectDirectory, shortenToken } from './workspace.js';

export interface RunnerOptions {
  /** Of the coordinator, without `/api/v4`. */
  url: string;
  /** Runner authentication token (`glrt-…`). */
  token: string;
  /** Directory for checkouts, made if absent; of one runner process alone. */
  buildsDir: string;
  /** Directory for caches, which several runners may share; within the builds directory by default. */
  cacheDir?: string;
  /** Bytes that all caches together may take; 10 GiB by default. */
  cacheLimitBytes?: number;
  /** Runs jobs in containers; in a shell of this machine where it is not given. */
  docker?: DockerSettings;
  /** Jobs at once; 1 by default. */
  concurrency?: number;
  /** As job logs show it; the host name by default. */
  name?: string;
  /** Ends after so many jobs; without end by default. */
  maxBuilds?: number;
  /** Bytes of a job's output that its log takes; 4 MiB by default. */
  outputLimitBytes?: number;
  /** What the caches and artifacts of one job may be unpacked to; 10 GiB and 500,000 entries by default. */
  unpackLimit?: UnpackRoom;
  /** From SIGTERM to SIGKILL when a job is canceled gracefully; 10 minutes by default, as GitLab's runner. */
  terminationGraceMs?: number;
  /** How long another process may take to let go of the builds directory, in milliseconds; it is not waited for by default. */
  predecessorMs?: number;
  /** Where jobs' allow-listed environment is taken from; the process's own by default. */
  environment?: NodeJS.ProcessEnv;
  /** Takes one line for the operator; standard output by default. */
  say?: (line: string) => void;
}

/** The default directory of caches, among the runner's own files. */
const CACHE = 'cache';
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
  /** Numbers of the jobs that run now, by the directory of their project: no two may share a checkout. */
  private readonly slots = new Map<string, Set<number>>();
  private claimed = 0;
  private running: Promise<void> | undefined;
  private lastTrouble = '';

  constructor(private readonly options: RunnerOptions) {
    this.concurrency = options.concurrency ?? 1;
    this.say = options.say ?? ((line) => void process.stdout.write(`${line}\n`));
  }

  /** Begins to ask for jobs. Troubles of the coordinator are said and survived, others are said; the end is told by `finished`. */
  start(): void {
    if (this.running) return;
    this.running = this.run();
    this.running.catch((error: Error) => this.say(printable(`the runner cannot go on: ${error.message}`)));
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
    const systemId = await readSystemId(buildsDir);
    const lock = await this.lockDirectory(stateDirectory(buildsDir));
    if (lock === undefined) {
      if (this.draining.signal.aborted) return;
      throw new Error(`another runner uses the builds directory ${buildsDir}: give each one of its own (--builds-dir)`);
    }
    const { docker } = this.options;
    const coordinator = new Coordinator(this.options.url, this.options.token, systemId, docker ? 'docker' : 'shell');
    try {
      const host = await this.prepareHost(buildsDir, systemId, coordinator);
      await Promise.all(Array.from({ length: this.concurrency }, (_, worker) => this.work(worker, host)));
    } finally {
      coordinator.close();
      await lock.release();
    }
  }

  private async lockDirectory(path: string): Promise<DirectoryLock | undefined> {
    const deadline = performance.now() + (this.options.predecessorMs ?? 0);
    for (;;) {
      const lock = await DirectoryLock.take(path);
      if (lock !== undefined || this.draining.signal.aborted || performance.now() > deadline) return lock;
      await pause(250, this.draining.signal);
    }
  }

  /** What is missing on the machine is told here, at the start, not when a job was taken. */
  private async prepareHost(buildsDir: string, systemId: string, coordinator: Coordinator): Promise<JobHost> {
    const stateDir = stateDirectory(buildsDir);
    const environment = this.options.environment ?? process.env;
    const shortToken = shortenToken(this.options.token);
    const { docker } = this.options;
    await killLeftBehind(buildsDir);
    await removeLeftOver(stateDir);
    await (await createPipe(stateDir)).remove();
    if (docker) {
      await checkDocker(environment, systemId, buildsDir);
      // Below it everybody may read and write, since a container's user may be anybody.
      await mkdir(join(buildsDir, shortToken), { recursive: true, mode: 0o700 });
    }
    const cacheDir = resolve(this.options.cacheDir ?? join(stateDir, CACHE));
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
    return {
      coordinator,
      name: this.options.name ?? hostname(),
      systemId,
      shortToken,
      runnerToken: this.options.token,
      buildsDir,
      stateDir,
      environment,
      docker,
      cache: new CacheStore(cacheDir, this.options.cacheLimitBytes ?? 10 * 1024 ** 3),
      outputLimitBytes: this.options.outputLimitBytes ?? 4 * 1024 * 1024,
      unpackLimit: this.options.unpackLimit ?? { bytes: 10 * 1024 ** 3, entries: 500_000 },
      terminationGraceMs: this.options.terminationGraceMs ?? 10 * 60_000,
      stopped: this.stopped.signal,
      giveUp: this.giveUp.signal,
    };
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
    const asked = performance.now();
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
      return { result: { kind: 'nothing', heldMs: performance.now() - asked } };
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
    const directory = projectDirectory(job.git, job.projectId);
    const project = this.occupySlot(directory);
    this.say(`${title}: taken`);
    const began = performance.now();
    try {
      const end = await runJob(job, { worker, project }, pipe, host);
      this.say(`${title}: ${printable(end)} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      this.say(`${title}: failed, ${printable((error as Error).message)}`);
    } finally {
      this.slots.get(directory)?.delete(project);
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
  private occupySlot(directory: string): number {
    const used = this.slots.get(directory) ?? new Set<number>();
    this.slots.set(directory, used);
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

/** What a runner that was killed had begun to write. */
async function removeLeftOver(stateDir: string): Promise<void> {
  const kept = [SYSTEM_ID, CACHE, 'lock'];
  const left = (await readdir(stateDir)).filter((name) => !kept.includes(name));
  await Promise.all(left.map((name) => rm(join(stateDir, name), { recursive: true, force: true })));
}

function createPipe(stateDir: string): Promise<OutputPipe> {
  return OutputPipe.create(join(stateDir, `pipe-${randomBytes(8).toString('hex')}`));
}

/** Names come from users: without control characters they cannot move the operator's cursor. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}
