import { join } from 'node:path';
import type { UnpackRoom } from './archive/unpack.js';
import { CacheStore } from './cache/cache-store.js';
import { describeAnswer, type Coordinator } from './coordinator.js';
import type { Answer } from './http-client.js';
import { DockerExecutor, type DockerSettings } from './executors/docker.executor.js';
import type { ExecutorJob } from './executors/executor.js';
import { ShellExecutor } from './executors/shell.executor.js';
import { passwordsOf } from './git-remote.js';
import { JobLog } from './job-log.js';
import { createMarker, killMarked } from './job-marker.js';
import type { OutputPipe } from './job-process.js';
import { executeJob } from './job-stages.js';
import type { JobPayload } from './job.payload.js';
import { Masker, TOKEN_PREFIXES } from './masking.js';
import type { AbortCause, JobOutcome } from './outcome.js';
import { reactToUpdate } from './reactions.js';
import { runnerVariables, type JobSlot } from './runner-variables.js';
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
  /** Jobs run in containers; in a shell on this machine where it is undefined. */
  docker: DockerSettings | undefined;
  cache: CacheStore;
  outputLimitBytes: number;
  /** What each job may unpack. */
  unpackLimit: Readonly<UnpackRoom>;
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
  const isDocker = host.docker !== undefined;
  const own = runnerVariables(job, workspace, slot, { ...host, isDocker, defaultImage: host.docker?.image ?? '' });
  const entries = [...own, ...job.variables];
  const ready = resolveVariables(entries, (key) => variableFile(workspace, key));
  const isSet = (key: string) => ready.some((variable) => variable.key === key && isTrue(variable.value));
  const phrases = [
    ...maskedValues(entries, ready),
    job.token,
    host.runnerToken,
    ...passwordsOf(job.git.repoUrl),
    ...job.dependencies.map(({ token }) => token),
    ...job.credentials.map(({ password }) => password),
  ];
  const masker = new Masker(phrases, [...TOKEN_PREFIXES, ...job.tokenMaskPrefixes]);
  const marker = createMarker(host.buildsDir);
  const log = new JobLog(host.stateDir, `log-${marker.value}`, masker, {
    outputLimit: host.outputLimitBytes,
    sections: job.traceSections,
    timestamps: isSet('FF_TIMESTAMPS'),
  });
  const canceled = new AbortController();
  const ended = new AbortController();
  const end = (cause: AbortCause) => ended.abort(cause);
  const onStop = () => end('runner-stopped');
  host.stopped.addEventListener('abort', onStop, { once: true });
  try {
    const debug = isSet('CI_DEBUG_TRACE') || isSet('CI_DEBUG_SERVICES');
    const sender = new TraceSender(host.coordinator, job, log, debug, {
      cancel: () => canceled.abort(),
      abort: () => end('canceled'),
    });
    // The answer to the acknowledgement decides whether the job runs; much can be got ready meanwhile.
    let refusal: Answer | undefined;
    const accepted = acknowledge(host, job).then((answer) => {
      const reaction = answer ? reactToUpdate(answer) : 'go-on';
      if (reaction === 'abort') {
        refusal = answer;
        end('canceled');
        return false;
      }
      if (answer) sender.heed(answer, reaction);
      sender.start();
      return reaction === 'go-on';
    });

    let outcome: JobOutcome;
    try {
      log.line(`Running with flagfall-runner ${RUNNER_VERSION}`);
      log.line(`  on ${host.name} ${host.shortToken}, system ID: ${host.systemId}`);
      await prepareWorkspace(workspace, job, ready, isDocker);
      outcome = await executeJob({
        job,
        workspace,
        entries,
        log,
        pipe,
        marker,
        coordinator: host.coordinator,
        cache: { store: host.cache, scope: join(host.shortToken, `project-${job.projectId}`) },
        createExecutor: (given) => createExecutor(given, host),
        trustsCheckouts: !isDocker,
        buildsDir: host.buildsDir,
        archivePath: join(host.stateDir, `archive-${marker.value}`),
        room: { ...host.unpackLimit },
        environment: host.environment,
        canceled: canceled.signal,
        aborted: ended.signal,
        terminationGraceMs: host.terminationGraceMs,
        onScriptOutput: () => sender.expedite(),
        accepted,
      });
    } catch (error) {
      outcome = systemFailure(error as Error);
    }
    await accepted;
    if (refusal) {
      await leaveNothing(marker, workspace.temporary);
      return `dropped, the coordinator no longer wants it run (${describeAnswer(refusal)})`;
    }
    try {
      // Before the report: once a job counts as ended, nothing of it is left.
      await log.section(
        'cleanup_file_variables',
        'Cleaning up project directory and file based variables',
        async () => {
          const left = await leaveNothing(marker, workspace.temporary);
          if (left) log.line(`\x1b[0;33mWARNING: ${left}\x1b[0;m`);
        },
      );
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
    host.stopped.removeEventListener('abort', onStop);
    log.close();
  }
}

function createExecutor(given: ExecutorJob, host: JobHost) {
  return host.docker ? new DockerExecutor(given, host.docker, host) : new ShellExecutor(given);
}

/** `PUT state=running`, the sign that the job arrived (runner-api.md §2.5); no answer is no obstacle. */
async function acknowledge({ coordinator, giveUp }: JobHost, job: JobPayload): Promise<Answer | undefined> {
  return coordinator.updateJob(job, { state: 'running', output: {} }, giveUp).catch(() => undefined);
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
