import { describeAnswer, type Answer, type Coordinator } from './coordinator.js';
import { passwordsOf } from './git-remote.js';
import { JobLog } from './job-log.js';
import { createMarker, killMarked } from './job-marker.js';
import type { OutputPipe } from './job-process.js';
import type { JobPayload } from './job.payload.js';
import { Masker, TOKEN_PREFIXES } from './masking.js';
import type { AbortCause, JobOutcome } from './outcome.js';
import { reactToUpdate } from './reactions.js';
import { runnerVariables, type JobSlot } from './runner-variables.js';
import { executeJob } from './shell-executor.js';
import { TraceSender } from './trace-sender.js';
import { isTrue, maskedValues, resolveVariables } from './variables.js';
import { RUNNER_VERSION } from './version.js';
import { locateWorkspace, prepareWorkspace, removeTree, variableFile } from './workspace.js';

/** What a job needs of the runner that took it. */
export interface JobHost {
  coordinator: Coordinator;
  name: string;
  systemId: string;
  shortToken: string;
  runnerToken: string;
  /** Absolute. */
  buildsDir: string;
  /** For files of the runner's own, on the same disk. */
  stateDir: string;
  environment: NodeJS.ProcessEnv;
  outputLimitBytes: number;
  terminationGraceMs: number;
  /** The runner stops and waits no longer for its jobs. */
  stopped: AbortSignal;
  /** The runner waits no longer even for reports. */
  giveUp: AbortSignal;
}

/**
 * Runs one job from its acknowledgement to its final report. Does not throw for what happens to the job.
 * @returns a line for the operator: how it ended
 */
export async function runJob(job: JobPayload, slot: JobSlot, pipe: OutputPipe, host: JobHost): Promise<string> {
  const workspace = locateWorkspace(host.buildsDir, host.shortToken, slot.project, job);
  const entries = [...runnerVariables(job, workspace, slot, host), ...job.variables];
  const ready = resolveVariables(entries, (key) => variableFile(workspace, key));
  const phrases = [...maskedValues(entries, ready), job.token, host.runnerToken, ...passwordsOf(job.git.repoUrl)];
  const masker = new Masker(phrases, [...TOKEN_PREFIXES, ...job.tokenMaskPrefixes]);
  const log = new JobLog(host.stateDir, `log-${createMarker().value}`, masker, host.outputLimitBytes);
  const canceled = new AbortController();
  const ended = new AbortController();
  const end = (cause: AbortCause) => ended.abort(cause);
  const onStop = () => end('runner-stopped');
  const timer = setTimeout(() => end('timeout'), Math.min(job.timeoutSeconds * 1000, 2 ** 31 - 1));
  host.stopped.addEventListener('abort', onStop, { once: true });
  if (host.stopped.aborted) onStop();
  const marker = createMarker();
  try {
    const debug = ready.some(
      ({ key, value }) => ['CI_DEBUG_TRACE', 'CI_DEBUG_SERVICES'].includes(key) && isTrue(value),
    );
    const sender = new TraceSender(host.coordinator, job, log, debug, {
      cancel: () => canceled.abort(),
      abort: () => end('canceled'),
    });
    // The answer to the acknowledgement decides whether the job runs; directories can be made meanwhile.
    const [first, prepared] = await Promise.all([
      acknowledge(host, job),
      prepareWorkspace(workspace, job, ready).then(
        () => undefined,
        (error: Error) => error,
      ),
    ]);
    const reaction = first ? reactToUpdate(first) : 'go-on';
    if (first && reaction === 'abort') {
      await removeTree(workspace.temporary);
      return `dropped, the coordinator no longer wants it run (${describeAnswer(first)})`;
    }
    if (first) sender.heed(first, reaction);
    sender.start();

    let outcome: JobOutcome;
    try {
      sayHello(log, job, host);
      if (prepared) throw prepared;
      outcome = canceled.signal.aborted
        ? { state: 'failed', reason: 'job_canceled', message: 'canceled' }
        : await executeJob({
            job,
            workspace,
            entries,
            log,
            pipe,
            marker,
            buildsDir: host.buildsDir,
            environment: host.environment,
            canceled: canceled.signal,
            aborted: ended.signal,
            terminationGraceMs: host.terminationGraceMs,
            onScriptOutput: () => sender.expedite(),
          });
    } catch (error) {
      outcome = systemFailure(error as Error);
    }
    clearTimeout(timer);
    // Before the report: once a job counts as ended, nothing of it is left.
    const left = await leaveNothing(marker, workspace.temporary);
    try {
      if (left) log.line(`\x1b[0;33mWARNING: ${left}\x1b[0;m`);
      log.line(outcome.state === 'success' ? 'Job succeeded' : `ERROR: Job failed: ${outcome.message}`);
    } catch (error) {
      // A log that cannot be written on (a full disk) must not keep the result from being reported.
      outcome = systemFailure(error as Error);
    }
    const delivery = await sender.finish(outcome, host.giveUp);
    const verdict = outcome.state === 'success' ? 'succeeded' : `failed, ${outcome.message}`;
    if (delivery.kind === 'reported') return verdict;
    if (delivery.kind === 'refused') return `${verdict}; the coordinator had ended it already`;
    return `${verdict}; COULD NOT BE REPORTED: ${delivery.why}`;
  } finally {
    clearTimeout(timer);
    host.stopped.removeEventListener('abort', onStop);
    log.close();
  }
}

/** `PUT state=running`, the sign that the job arrived (runner-api.md §2.5); no answer is no obstacle. */
async function acknowledge({ coordinator, giveUp }: JobHost, job: JobPayload): Promise<Answer | undefined> {
  return coordinator.updateJob(job, { state: 'running', output: {} }, giveUp).catch(() => undefined);
}

function sayHello(log: JobLog, job: JobPayload, host: JobHost): void {
  log.line(`Running with flagfall-runner ${RUNNER_VERSION}`);
  log.line(`  on ${host.name} ${host.shortToken}, system ID: ${host.systemId}`);
  if (job.asksForArtifacts) {
    log.line('\x1b[0;33mWARNING: this runner does not transfer artifacts: none are downloaded or uploaded\x1b[0;m');
  }
  if (job.asksForCache)
    log.line('\x1b[0;33mWARNING: this runner does not keep a cache: none is restored or saved\x1b[0;m');
}

async function leaveNothing(marker: ReturnType<typeof createMarker>, temporary: string): Promise<string | undefined> {
  try {
    await killMarked(marker);
    await removeTree(temporary);
    return undefined;
  } catch (error) {
    return `could not clean up after the job: ${(error as Error).message}`;
  }
}

function systemFailure({ message }: Error): JobOutcome {
  return { state: 'failed', reason: 'runner_system_failure', message: `runner system failure: ${message}` };
}
