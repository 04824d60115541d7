import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { getSources } from './get-sources.js';
import { jobEnvironment } from './job-environment.js';
import type { JobLog } from './job-log.js';
import type { JobMarker } from './job-marker.js';
import { runProcess, type OutputPipe } from './job-process.js';
import type { JobPayload, JobVariable } from './job.payload.js';
import { abortedOutcome, type AbortCause, type JobOutcome } from './outcome.js';
import { generateScript } from './script.js';
import {
  isExportable,
  isTrue,
  parseDuration,
  parseEnvironmentFile,
  resolveVariables,
  type ReadyVariable,
} from './variables.js';
import { environmentFile, variableFile, type Workspace } from './workspace.js';

/** runner-api.md §6.1 */
const AFTER_SCRIPT_LIMIT_MS = 5 * 60_000;

interface Execution {
  job: JobPayload;
  workspace: Workspace;
  buildsDir: string;
  /** The runner's own variables and the job's, in order. */
  entries: readonly JobVariable[];
  log: JobLog;
  pipe: OutputPipe;
  marker: JobMarker;
  /** Of the runner; jobs get an allow-listed part of it. */
  environment: NodeJS.ProcessEnv;
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
 * Runs a job's stages: sources, the steps in order until one fails, after_script (runner-api.md §6.1). What goes wrong in the job
 * is its outcome.
 * @throws when the machine fails: a directory that cannot be written, bash or git that cannot be started
 */
export async function executeJob(execution: Execution): Promise<JobOutcome> {
  const stages = new Stages(execution);
  try {
    const sources = await stages.getSources();
    if (sources.state === 'failed') return sources;
    const outcome = await stages.runSteps();
    if (execution.aborted.aborted) return stages.abortedOutcome();
    return await stages.runAfterScript(outcome);
  } catch (error) {
    if (execution.aborted.aborted) return stages.abortedOutcome();
    throw error;
  }
}

class Stages {
  private readonly ready: ReadyVariable[];
  private readonly settings: Map<string, string>;
  private readonly env: NodeJS.ProcessEnv;
  private readonly filePath: (key: string) => string;

  constructor(private readonly run: Execution) {
    this.filePath = (key) => variableFile(run.workspace, key);
    this.ready = resolveVariables(run.entries, this.filePath);
    this.settings = new Map(this.ready.map(({ key, value }) => [key, value]));
    this.env = {
      ...jobEnvironment(run.environment, run.workspace.home),
      // Without a checkout of its own a job's git must not find the repository that the builds directory may lie in.
      GIT_CEILING_DIRECTORIES: run.buildsDir,
    };
  }

  abortedOutcome(): JobOutcome {
    return abortedOutcome(this.run.aborted.reason as AbortCause, this.run.job.timeoutSeconds);
  }

  getSources(): Promise<JobOutcome> {
    const { job, workspace, log, canceled, aborted } = this.run;
    const setting = (name: string) => this.settings.get(name);
    return this.section('get_sources', 'Getting source from Git repository', async () => {
      let code: number;
      try {
        code = await getSources({
          job,
          directory: workspace.project,
          setting,
          searchPath: this.env['PATH'] ?? '',
          say: (line) => log.line(`\x1b[32;1m${line}\x1b[0;m`),
          git: (args) => this.runGit(args),
          runHook: (name) => this.runHook(name),
          isEnding: () => canceled.aborted || aborted.aborted,
        });
      } catch (error) {
        if (aborted.aborted || isSystemError(error)) throw error;
        return { state: 'failed', reason: 'script_failure', message: (error as Error).message };
      }
      if (aborted.aborted) return this.abortedOutcome();
      if (canceled.aborted) return { state: 'failed', reason: 'job_canceled', message: 'canceled' };
      return outcomeOf(code);
    });
  }

  async runSteps(): Promise<JobOutcome> {
    const { job, canceled, aborted } = this.run;
    const limitMs = parseDuration(this.settings.get('RUNNER_SCRIPT_TIMEOUT'));
    for (const { name, script } of job.steps) {
      if (name === 'after_script' || script.length === 0) continue;
      const stage = name === 'script' ? 'step_script' : `step_${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}`;
      const limit = limitMs === undefined ? undefined : AbortSignal.timeout(limitMs);
      const code = await this.section(stage, `Executing "${stage}" stage of the job script`, () =>
        this.runScript(stage, script, this.ready, {
          terminate: limit ? AbortSignal.any([canceled, limit]) : canceled,
          cwd: this.run.workspace.project,
        }),
      );
      if (aborted.aborted) return this.abortedOutcome();
      if (canceled.aborted) return { state: 'failed', reason: 'job_canceled', message: 'canceled' };
      if (limit?.aborted) {
        const message = `script took longer than ${limitMs! / 1000} seconds (RUNNER_SCRIPT_TIMEOUT)`;
        return { state: 'failed', reason: 'job_execution_timeout', message };
      }
      if (code !== 0) return outcomeOf(code);
    }
    return { state: 'success' };
  }

  /** Its failure counts only with `AFTER_SCRIPT_IGNORE_ERRORS=false`, and only against a job that had succeeded. */
  async runAfterScript(outcome: JobOutcome): Promise<JobOutcome> {
    const { job, log, workspace, entries, aborted } = this.run;
    const script = job.steps.filter((step) => step.name === 'after_script').flatMap((step) => step.script);
    if (script.length === 0) return outcome;
    const written = parseEnvironmentFile(await readFile(environmentFile(workspace), 'utf8').catch(() => ''));
    const status: JobVariable = { key: 'CI_JOB_STATUS', value: jobStatus(outcome), raw: true };
    const variables = resolveVariables([...entries, ...written, status], this.filePath);
    const limitMs = parseDuration(this.settings.get('RUNNER_AFTER_SCRIPT_TIMEOUT')) ?? AFTER_SCRIPT_LIMIT_MS;
    const limit = AbortSignal.timeout(limitMs);
    const code = await this.section('after_script', 'Running after_script', async () => {
      const ended = await this.runScript('after_script', script, variables, {
        terminate: limit,
        cwd: workspace.project,
      });
      if (limit.aborted)
        log.line(`\x1b[0;33mWARNING: after_script took longer than ${limitMs / 1000} seconds and was ended\x1b[0;m`);
      else if (ended !== 0 && !aborted.aborted)
        log.line(`\x1b[0;33mWARNING: after_script failed: exit code ${ended}\x1b[0;m`);
      return ended;
    });
    if (aborted.aborted) return this.abortedOutcome();
    const counts = (this.settings.get('AFTER_SCRIPT_IGNORE_ERRORS') ?? '').toLowerCase() === 'false';
    return counts && outcome.state === 'success' ? outcomeOf(code) : outcome;
  }

  private runHook(name: string): Promise<number> {
    const lines = this.run.job.hooks.filter((hook) => hook.name === name).flatMap((hook) => hook.script);
    if (lines.length === 0) return Promise.resolve(0);
    // Before the sources the checkout may be absent, or be replaced under the script's feet.
    const { project } = this.run.workspace;
    const cwd = name === 'pre_get_sources_script' ? dirname(project) : project;
    return this.runScript(name, lines, this.ready, { terminate: this.run.canceled, cwd });
  }

  private async runScript(
    name: string,
    lines: readonly string[],
    variables: readonly ReadyVariable[],
    { terminate, cwd }: { terminate: AbortSignal; cwd: string },
  ): Promise<number> {
    const { workspace, log, onScriptOutput } = this.run;
    const skipped = variables.filter((variable) => !isExportable(variable)).map(({ key }) => JSON.stringify(key));
    if (skipped.length > 0) {
      log.line(`\x1b[0;33mWARNING: not set, since bash cannot export them: ${skipped.join(', ')}\x1b[0;m`);
    }
    const debugTrace = isTrue(this.settings.get('CI_DEBUG_TRACE'));
    const text = generateScript({ lines, variables, filePath: this.filePath, cwd, debugTrace });
    await writeFile(join(workspace.temporary, name), text, { mode: 0o600 });
    // The bare name, so that bash's messages begin with it: "step_script: line 90: make: command not found".
    return this.runProgram('bash', ['--login', name], workspace.temporary, this.env, terminate, onScriptOutput);
  }

  private runGit(args: readonly string[]): Promise<number> {
    const { workspace, canceled } = this.run;
    const chosen = this.ready.filter(
      ({ key, value }) => steersGit(key) && value.length < 65_536 && !value.includes('\0'),
    );
    const env = {
      ...this.env,
      ...Object.fromEntries(chosen.map(({ key, value, file }) => [key, file ? this.filePath(key) : value])),
    };
    return this.runProgram('git', args, workspace.project, env, canceled);
  }

  private async runProgram(
    file: string,
    args: readonly string[],
    cwd: string,
    env: NodeJS.ProcessEnv,
    terminate: AbortSignal,
    onFirstOutput: () => void = () => undefined,
  ): Promise<number> {
    const { log, pipe, marker, aborted, terminationGraceMs } = this.run;
    let silent = true;
    const onOutput = (chunk: Buffer) => {
      log.output(chunk);
      if (silent) onFirstOutput();
      silent = false;
    };
    const options = { file, args, cwd, env, pipe, marker, onOutput, terminate, terminationGraceMs, abort: aborted };
    try {
      return await runProcess(options);
    } finally {
      log.endOutput();
    }
  }

  private async section<T>(name: string, title: string, work: () => Promise<T>): Promise<T> {
    const { log, job } = this.run;
    const mark = (kind: string) => {
      if (job.traceSections) log.mark(`section_${kind}:${Math.floor(Date.now() / 1000)}:${name}\r\x1b[0K`);
    };
    mark('start');
    log.line(`\x1b[36;1m${title}\x1b[0;m`);
    try {
      return await work();
    } finally {
      mark('end');
    }
  }
}

function outcomeOf(code: number): JobOutcome {
  return code === 0
    ? { state: 'success' }
    : { state: 'failed', reason: 'script_failure', exitCode: code, message: `exit code ${code}` };
}

/** As after_script reads it (runner-api.md §6.1). */
function jobStatus(outcome: JobOutcome): string {
  if (outcome.state === 'success') return 'success';
  if (outcome.reason === 'job_canceled') return 'canceled';
  return outcome.reason === 'job_execution_timeout' ? 'timedout' : 'failed';
}

/** The job's variables that git and its transports read themselves; the rest has no business in their environment. */
function steersGit(key: string): boolean {
  return /^(?:GIT_[A-Z0-9_]+|SSL_CERT_(?:FILE|DIR)|(?:https?|all|no)_proxy)$/i.test(key);
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).code === 'string';
}
