import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { UnpackRoom } from './archive/unpack.js';
import type { CacheStore } from './cache/cache-store.js';
import type { Coordinator } from './coordinator.js';
import type { Executor, ExecutorJob, JobProgram } from './executors/executor.js';
import type { UploadPackCall } from './fetch-pack.js';
import { getSources, type GitCommand } from './get-sources.js';
import { JobArchives } from './job-archives.js';
import { jobEnvironment } from './job-environment.js';
import type { JobLog } from './job-log.js';
import type { JobMarker } from './job-marker.js';
import { runProcess, type OutputPipe, type ProcessEnding } from './job-process.js';
import type { JobPayload, JobVariable } from './job.payload.js';
import { abortedOutcome, CANCELED, StageFailure, timeoutOutcome, type AbortCause, type JobOutcome } from './outcome.js';
import { generateScript, quote } from './script.js';
import { isExportable, isTrue, parseDuration, resolveVariables, type ReadyVariable } from './variables.js';
import { readEnvironmentFile, variableFile, type Workspace } from './workspace.js';

/** runner-api.md §6.1 */
const AFTER_SCRIPT_LIMIT_MS = 5 * 60_000;
/** What a job has for its caches and artifacts when its own time is over. */
const ARCHIVES_LIMIT_MS = 5 * 60_000;
/** From SIGTERM to SIGKILL where a time limit ends something. */
const LIMIT_GRACE_MS = 10_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Execution {
  job: JobPayload;
  workspace: Workspace;
  buildsDir: string;
  /** Names a file of the runner's own that does not exist yet, for an archive on its way. */
  archivePath: string;
  room: UnpackRoom;
  /** The runner's own variables and the job's, in order. */
  entries: readonly JobVariable[];
  log: JobLog;
  pipe: OutputPipe;
  marker: JobMarker;
  coordinator: Coordinator;
  cache: { store: CacheStore; scope: string };
  createExecutor(job: ExecutorJob): Executor;
  /** Whether what a job left in its checkout may be trusted as much as the runner: not where jobs are kept in containers. */
  trustsCheckouts: boolean;
  /** Of the runner; jobs get an allow-listed part of it. */
  environment: NodeJS.ProcessEnv;
  /** See `ExecutorJob`: until then directories are made and objects fetched, and the shell starts. */
  accepted: Promise<boolean>;
  /** Graceful cancel: the script ends, after_script runs. */
  canceled: AbortSignal;
  /** Ends everything; its reason is an `AbortCause`. */
  aborted: AbortSignal;
  /** From SIGTERM to SIGKILL on a graceful cancel. */
  terminationGraceMs: number;
  /** The first output of a script has come. */
  onScriptOutput(): void;
}

/**
 * Runs a job's stages in GitLab's order: sources, cache, artifacts of earlier jobs, the steps in order until one fails, after_script,
 * then cache and artifacts of its own (runner-api.md §6.1). What goes wrong in the job is its outcome.
 *
 * The job's time limit ends all up to the steps. What comes after them then still runs, within limits of its own: after_script is
 * where people clean up, also after a job that took too long (docs/adr/0020).
 * @throws when the machine fails: a directory that cannot be written, git that cannot be started
 */
export async function executeJob(execution: Execution): Promise<JobOutcome> {
  const stages = new JobStages(execution);
  try {
    return await stages.run();
  } finally {
    await stages.end();
  }
}

class JobStages {
  private readonly ready: ReadyVariable[];
  private readonly settings: Map<string, string>;
  private readonly env: NodeJS.ProcessEnv;
  private readonly filePath: (key: string) => string;
  private readonly executor: Executor;
  private readonly archives: JobArchives;
  private readonly timedOut = new AbortController();
  private readonly closed = new AbortController();
  /** The end from outside, or of the time that a job has after its steps. */
  private readonly aborted: AbortSignal;
  private readonly deadline: number;
  private timer: NodeJS.Timeout;

  constructor(private readonly execution: Execution) {
    const { workspace, job } = execution;
    this.filePath = (key) => variableFile(workspace, key);
    this.ready = resolveVariables(execution.entries, this.filePath);
    this.settings = new Map(this.ready.map(({ key, value, file }) => [key, file ? this.filePath(key) : value]));
    this.env = {
      ...jobEnvironment(execution.environment, workspace.home),
      // Without a checkout of its own a job's git must not find the repository that the builds directory may lie in.
      GIT_CEILING_DIRECTORIES: execution.buildsDir,
    };
    this.aborted = AbortSignal.any([execution.aborted, this.closed.signal]);
    this.deadline = performance.now() + job.timeoutSeconds * 1000;
    this.timer = setTimeout(() => this.timedOut.abort(), Math.min(job.timeoutSeconds * 1000, LONGEST_TIMER_MS));
    this.archives = new JobArchives({
      ...execution,
      directory: workspace.project,
      env: this.env,
      setting: (name) => this.settings.get(name),
    });
    this.executor = execution.createExecutor({
      job,
      workspace,
      variables: this.ready,
      env: this.env,
      log: execution.log,
      marker: execution.marker,
      accepted: execution.accepted,
      ending: AbortSignal.any([this.aborted, execution.canceled, this.timedOut.signal]),
      runProgram: (program) => this.runProgram(program),
    });
  }

  async run(): Promise<JobOutcome> {
    let outcome = await this.attempt(() => this.prepare());
    // What lies in the checkout is an earlier job's.
    if (outcome.state === 'failed') return outcome;
    outcome = await this.attempt(() => this.fillCheckout());
    const ready = outcome.state === 'success';
    if (ready) outcome = await this.attempt(() => this.runSteps());
    this.beginClosing();
    if (ready && (await this.execution.accepted)) outcome = await this.attempt(() => this.runAfterScript(outcome));
    const succeeded = outcome.state === 'success';
    const kept = await this.attempt(async () => withoutFailure(await this.archives.keep(succeeded, this.aborted)));
    // What ended the job first is its outcome, unless it was ended from outside since.
    return succeeded || this.execution.aborted.aborted ? kept : outcome;
  }

  async end(): Promise<void> {
    clearTimeout(this.timer);
    const { log } = this.execution;
    await this.executor
      .cleanUp()
      .catch((error: Error) => warn(log, `could not clean up after the job: ${error.message}`));
  }

  /** Tells what stopped a stage, where it was stopped from outside. */
  private async attempt(work: () => Promise<JobOutcome>): Promise<JobOutcome> {
    try {
      if (this.aborted.aborted) return this.interruption()!;
      const outcome = await work();
      return this.aborted.aborted ? this.interruption()! : outcome;
    } catch (error) {
      const interruption = this.interruption();
      if (interruption) return interruption;
      if (!(error instanceof StageFailure)) throw error;
      return { state: 'failed', reason: error.reason, message: error.message };
    }
  }

  private interruption(): JobOutcome | undefined {
    const { job, canceled } = this.execution;
    if (this.aborted.aborted) return abortedOutcome(this.aborted.reason as AbortCause, job.timeoutSeconds);
    if (canceled.aborted) return CANCELED;
    return this.timedOut.signal.aborted ? timeoutOutcome(job.timeoutSeconds) : undefined;
  }

  /** What ends whatever runs before after_script. */
  private get endings(): ProcessEnding[] {
    return [
      { signal: this.execution.canceled, graceMs: this.execution.terminationGraceMs },
      { signal: this.timedOut.signal, graceMs: LIMIT_GRACE_MS },
    ];
  }

  private async prepare(): Promise<JobOutcome> {
    const { log } = this.execution;
    const title = `Preparing the "${this.executor.name}" executor`;
    await log.section('prepare_executor', title, () => this.executor.prepare());
    await log.section('prepare_script', 'Preparing environment', async () => log.line(`Running on ${hostname()}...`));
    return this.interruption() ?? { state: 'success' };
  }

  private async fillCheckout(): Promise<JobOutcome> {
    const { log } = this.execution;
    const sources = await log.section('get_sources', 'Getting source from Git repository', () => this.getSources());
    const stopped = this.interruption();
    if (stopped || sources.state === 'failed') return stopped ?? sources;
    const signal = AbortSignal.any([this.aborted, this.execution.canceled, this.timedOut.signal]);
    await this.archives.restoreCaches(signal);
    return withoutFailure(await this.archives.download(signal));
  }

  private async getSources(): Promise<JobOutcome> {
    const { job, workspace, log, trustsCheckouts } = this.execution;
    try {
      const code = await getSources({
        job,
        directory: workspace.project,
        setting: (name) => this.settings.get(name),
        searchPath: this.env['PATH'] ?? '',
        trustsCheckouts,
        say: (line) => log.line(`\x1b[32;1m${line}\x1b[0;m`),
        uploadPack: this.uploadPack,
        git: (commands) => this.runGit(commands),
        runHook: (name) => this.runHook(name),
        isEnding: () => this.interruption() !== undefined,
      });
      return outcomeOf(code);
    } catch (error) {
      if (isSystemError(error)) throw error;
      throw new StageFailure('script_failure', (error as Error).message);
    }
  }

  private async runSteps(): Promise<JobOutcome> {
    const { job, log } = this.execution;
    const limitMs = parseDuration(this.settings.get('RUNNER_SCRIPT_TIMEOUT'));
    for (const { name, script } of job.steps) {
      if (name === 'after_script' || script.length === 0) continue;
      const stage = name === 'script' ? 'step_script' : `step_${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
      const limit = limitMs === undefined ? undefined : AbortSignal.timeout(Math.min(limitMs, LONGEST_TIMER_MS));
      const endings = limit ? [...this.endings, { signal: limit, graceMs: LIMIT_GRACE_MS }] : this.endings;
      const code = await log.section(stage, `Executing "${stage}" stage of the job script`, () =>
        this.runScript(stage, script, { endings }),
      );
      const stopped = this.interruption();
      if (stopped) return stopped;
      if (limit?.aborted) {
        const message = `script took longer than ${limitMs! / 1000} seconds (RUNNER_SCRIPT_TIMEOUT)`;
        return { state: 'failed', reason: 'job_execution_timeout', message };
      }
      if (code !== 0) return outcomeOf(code);
    }
    return { state: 'success' };
  }

  /** The job's limit has done its work: from here on the rest has its own, or what is left of the job's where that is more. */
  private beginClosing(): void {
    clearTimeout(this.timer);
    const limitMs = Math.max(this.deadline - performance.now(), this.afterScriptLimitMs + ARCHIVES_LIMIT_MS);
    const cause: AbortCause = 'timeout';
    this.timer = setTimeout(() => this.closed.abort(cause), Math.min(limitMs, LONGEST_TIMER_MS));
  }

  private get afterScriptLimitMs(): number {
    return parseDuration(this.settings.get('RUNNER_AFTER_SCRIPT_TIMEOUT')) ?? AFTER_SCRIPT_LIMIT_MS;
  }

  /** Its failure counts only with `AFTER_SCRIPT_IGNORE_ERRORS=false`, and only against a job that had succeeded. */
  private async runAfterScript(outcome: JobOutcome): Promise<JobOutcome> {
    const { job, log } = this.execution;
    const script = job.steps.filter((step) => step.name === 'after_script').flatMap((step) => step.script);
    if (script.length === 0) return outcome;
    const limitMs = this.afterScriptLimitMs;
    const limit = AbortSignal.timeout(Math.min(limitMs, LONGEST_TIMER_MS));
    const code = await log.section('after_script', 'Running after_script', async () => {
      const endings = [{ signal: limit, graceMs: LIMIT_GRACE_MS }];
      const ended = await this.runScript('after_script', script, { endings, status: jobStatus(outcome) });
      if (limit.aborted) warn(log, `after_script took longer than ${limitMs / 1000} seconds and was ended`);
      else if (ended !== 0 && !this.aborted.aborted) warn(log, `after_script failed: exit code ${ended}`);
      return ended;
    });
    const counts = (this.settings.get('AFTER_SCRIPT_IGNORE_ERRORS') ?? '').toLowerCase() === 'false';
    return counts && outcome.state === 'success' ? outcomeOf(code) : outcome;
  }

  private async runHook(name: string): Promise<number> {
    const lines = this.execution.job.hooks.filter((hook) => hook.name === name).flatMap((hook) => hook.script);
    if (lines.length === 0) return 0;
    // Before the sources the checkout may be absent, or be replaced under the script's feet.
    const { project } = this.execution.workspace;
    const cwd = name === 'pre_get_sources_script' ? dirname(project) : project;
    return this.runScript(name, lines, { endings: this.endings, cwd });
  }

  /** @param options `status`: what `CI_JOB_STATUS` is, `running` where it is not given */
  private async runScript(
    name: string,
    lines: readonly string[],
    { endings, cwd, status }: { endings: readonly ProcessEnding[]; cwd?: string; status?: string },
  ): Promise<number> {
    const { workspace, log, entries } = this.execution;
    const own: JobVariable[] = status === undefined ? [] : [{ key: 'CI_JOB_STATUS', value: status, raw: true }];
    const written = await readEnvironmentFile(workspace);
    const added = [...written, ...own];
    const variables = added.length === 0 ? this.ready : resolveVariables([...entries, ...added], this.filePath);
    const skipped = variables.filter((variable) => !isExportable(variable)).map(({ key }) => JSON.stringify(key));
    if (skipped.length > 0) warn(log, `not set, since a shell cannot export them: ${skipped.join(', ')}`);
    const text = generateScript({
      lines,
      variables,
      filePath: this.filePath,
      cwd: cwd ?? workspace.project,
      debugTrace: isTrue(this.settings.get('CI_DEBUG_TRACE')),
    });
    return this.executor.runScript({ name, text, endings });
  }

  /** Not where the job has a word about how git gets there, nor where others must be able to write what it makes. */
  private get uploadPack(): UploadPackCall | undefined {
    const { job, coordinator, trustsCheckouts } = this.execution;
    if (!trustsCheckouts || this.ready.some(({ key }) => steersTransfer(key))) return undefined;
    const signal = AbortSignal.any([this.aborted, this.execution.canceled, this.timedOut.signal]);
    return (body, receive) => coordinator.uploadPack(job.git.repoUrl, body, receive, signal);
  }

  private async runGit(commands: readonly GitCommand[]): Promise<number> {
    const { workspace, trustsCheckouts, accepted } = this.execution;
    const chosen = this.ready.filter(
      ({ key, value }) => steersGit(key) && value.length < 65_536 && !value.includes('\0'),
    );
    const env = {
      ...this.env,
      ...Object.fromEntries(chosen.map(({ key, value, file }) => [key, file ? this.filePath(key) : value])),
    };
    const lines = commands.map(
      ({ args, silent }) => `git ${[...UNSYNCED, ...args].map(quote).join(' ')}${silent ? ' >/dev/null' : ''}`,
    );
    // In a container the job may be another user, who must be able to write in the checkout all the same.
    const script = [...(trustsCheckouts ? [] : ['umask 0']), ...lines].join(' && ');
    await accepted;
    return this.runProgram({ file: 'sh', args: ['-c', script], cwd: workspace.project, env, endings: this.endings });
  }

  private async runProgram(program: JobProgram): Promise<number> {
    const { log, pipe, marker, onScriptOutput } = this.execution;
    let silent = true;
    const onOutput = (chunk: Buffer) => {
      log.output(chunk);
      if (silent) onScriptOutput();
      silent = false;
    };
    try {
      return await runProcess({ ...program, pipe, marker, onOutput, abort: this.aborted });
    } finally {
      log.endOutput();
    }
  }
}

function warn(log: JobLog, text: string): void {
  log.line(`\x1b[0;33mWARNING: ${text}\x1b[0;m`);
}

function outcomeOf(code: number): JobOutcome {
  return code === 0
    ? { state: 'success' }
    : { state: 'failed', reason: 'script_failure', exitCode: code, message: `exit code ${code}` };
}

/** A download or upload that failed fails a job that had succeeded so far (runner-api.md §5.2, §6.1). */
function withoutFailure(failure: string | undefined): JobOutcome {
  if (failure === undefined) return { state: 'success' };
  return { state: 'failed', reason: 'script_failure', message: failure, exitCode: 1 };
}

/** As after_script reads it (runner-api.md §6.1). */
function jobStatus(outcome: JobOutcome): string {
  if (outcome.state === 'success') return 'success';
  if (outcome.reason === 'job_canceled') return 'canceled';
  return outcome.reason === 'job_execution_timeout' ? 'timedout' : 'failed';
}

/** A checkout that a power cut spoils is made anew; waiting for the disk would take longer than all the rest. */
const UNSYNCED = ['-c', 'core.fsync=none'];

/** All but what says what to get, and whose name commits carry. */
function steersTransfer(key: string): boolean {
  const harmless =
    /^GIT_(?:STRATEGY|DEPTH|CHECKOUT|CLEAN_FLAGS|SUBMODULE_[A-Z_]+|LFS_SKIP_SMUDGE|(?:AUTHOR|COMMITTER)_[A-Z]+)$/;
  return steersGit(key) && !harmless.test(key);
}

/** The job's variables that git and its transports read themselves; the rest has no business in their environment. */
function steersGit(key: string): boolean {
  return /^(?:GIT_[A-Z0-9_]+|SSL_CERT_(?:FILE|DIR)|(?:https?|all|no)_proxy)$/i.test(key);
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).code === 'string';
}
