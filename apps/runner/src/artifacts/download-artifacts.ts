import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { unpackZip, type UnpackRoom } from '../archive/unpack.js';
import { askedPause, describeAnswer, type Coordinator } from '../coordinator.js';
import type { Answer } from '../http-client.js';
import type { Dependency } from '../job.payload.js';
import type { JobLog } from '../job-log.js';
import { pause } from '../pause.js';

/** Tries of one download, a second apart (runner-api.md §5.3). */
const TRIES = 3;
const TRY_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Another try would be answered the same. */
const FINAL = [401, 403, 404];

interface DownloadRun {
  coordinator: Coordinator;
  /** The checkout. */
  directory: string;
  /** A file of the runner's own that does not exist: the archive lies there while it is unpacked. */
  archivePath: string;
  room: UnpackRoom;
  log: JobLog;
  signal: AbortSignal;
}

/**
 * Downloads the archives of earlier jobs and unpacks them in the checkout, in order, later ones over earlier ones.
 * @returns why it failed, when it did
 * @throws when aborted
 */
export async function downloadArtifacts(
  dependencies: readonly Dependency[],
  run: DownloadRun,
): Promise<string | undefined> {
  for (const dependency of dependencies) {
    const title = `${dependency.name} (${dependency.id})`;
    run.log.line(`\x1b[32;1mDownloading artifacts for ${title}...\x1b[0;m`);
    try {
      const answer = await download(dependency, run);
      if (answer.status !== 200) throw new Error(meaning(answer));
      run.log.line(`Downloading artifacts from coordinator... ok  id=${dependency.id} responseStatus=200 OK`);
      await unpackZip(run.archivePath, run.directory, run.room, run.signal);
    } catch (error) {
      run.signal.throwIfAborted();
      const failure = `the artifacts of ${title} could not be had: ${(error as Error).message}`;
      run.log.line(`\x1b[31;1mERROR: ${failure}\x1b[0;m`);
      return failure;
    } finally {
      await rm(run.archivePath, { force: true });
    }
  }
  return undefined;
}

/** The last answer, or the first one that another try would not change. @throws when there was none */
async function download(
  dependency: Dependency,
  { coordinator, archivePath, log, signal }: DownloadRun,
): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    let answer: Answer | undefined;
    let trouble: string;
    try {
      answer = await coordinator.downloadArtifacts(
        dependency,
        tries === 1,
        (body) => pipeline(body, createWriteStream(archivePath, { mode: 0o600 })),
        signal,
      );
      if (answer.status === 200 || FINAL.includes(answer.status) || tries >= TRIES) return answer;
      trouble = describeAnswer(answer);
    } catch (error) {
      signal.throwIfAborted();
      if (tries >= TRIES) throw error;
      trouble = (error as Error).message;
    }
    log.line(`\x1b[0;33mWARNING: Downloading artifacts from coordinator... ${trouble}; trying again\x1b[0;m`);
    await pause(Math.min(askedPause(answer?.headers ?? {}, Date.now()) ?? TRY_PAUSE_MS, LONGEST_PAUSE_MS), signal);
    signal.throwIfAborted();
  }
}

function meaning(answer: Answer): string {
  if (answer.status === 404) return `there are none any more (${describeAnswer(answer)})`;
  if (answer.status === 401 || answer.status === 403) return `this job may not read them (${describeAnswer(answer)})`;
  return describeAnswer(answer);
}
