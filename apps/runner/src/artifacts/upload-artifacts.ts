import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { packGzip, packRaw, packZip } from '../archive/pack.js';
import { selectFiles, type SelectedFile } from '../archive/select-files.js';
import {
  askedPause,
  describeAnswer,
  type ArtifactUpload,
  type Coordinator,
  type JobCredential,
} from '../coordinator.js';
import type { Answer } from '../http-client.js';
import type { ArtifactSpec } from '../job.payload.js';
import type { JobLog } from '../job-log.js';
import { pause } from '../pause.js';

/** Tries of one upload: more where the coordinator says that it is overloaded (runner-api.md §5.2). */
const TRIES = 3;
const TRIES_WHEN_BUSY = 6;
const LONGEST_PAUSE_MS = 60_000;
const EXTENSION = { zip: '.zip', gzip: '.gz', raw: '' };

interface ArtifactsRun {
  coordinator: Coordinator;
  job: JobCredential;
  /** The checkout. */
  directory: string;
  log: JobLog;
  /** For git, where untracked files are asked for. */
  env: NodeJS.ProcessEnv;
  /** Expands variables. */
  expand(text: string): string;
  /** Ends all. */
  signal: AbortSignal;
}

/**
 * Uploads entries of a job's artifacts, each in a request of its own, packed as it is sent. An entry without files is told in the
 * log and is no failure; an entry that fails does not keep the others.
 * @returns why it failed, when it did
 * @throws when aborted
 */
export async function uploadArtifacts(specs: readonly ArtifactSpec[], run: ArtifactsRun): Promise<string | undefined> {
  let failure: string | undefined;
  for (const spec of specs) {
    try {
      await uploadOne(spec, run);
    } catch (error) {
      run.signal.throwIfAborted();
      failure ??= (error as Error).message;
      run.log.line(`\x1b[31;1mERROR: ${(error as Error).message}\x1b[0;m`);
    }
  }
  return failure;
}

async function uploadOne(spec: ArtifactSpec, run: ArtifactsRun): Promise<void> {
  const { log, directory } = run;
  log.line('\x1b[32;1mUploading artifacts...\x1b[0;m');
  const selection = {
    paths: spec.paths.map(run.expand).filter((path) => path !== ''),
    exclude: spec.exclude.map(run.expand),
    untracked: spec.untracked,
  };
  const { files, notes } = await selectFiles(directory, selection, run.env);
  for (const { warning, text } of notes) log.line(warning ? `\x1b[0;33mWARNING: ${text}\x1b[0;m` : text);
  if (!files.some(({ kind }) => spec.format === 'zip' || kind === 'file')) {
    log.line('\x1b[31;1mERROR: No files to upload\x1b[0;m');
    return;
  }
  const fileName = (posix.basename(run.expand(spec.name)) || 'artifacts') + EXTENSION[spec.format];
  const content = () => pack(spec, directory, files);
  const answer = await send({ fileName, type: spec.type, format: spec.format, expireIn: spec.expireIn, content }, run);
  const shown = `Uploading artifacts as ${JSON.stringify(spec.type)} to coordinator... ${answer.status}`;
  if (answer.status !== 201) throw new Error(`${shown}: ${meaning(answer)}`);
  log.line(`${shown} Created  id=${run.job.id} file=${fileName}`);
}

function pack({ format }: ArtifactSpec, directory: string, files: readonly SelectedFile[]): Readable {
  if (format === 'zip') return packZip(directory, files);
  return format === 'gzip' ? packGzip(directory, files) : packRaw(directory, files);
}

/** The last answer, or the first one that another try would not change. @throws when there was none */
async function send(upload: ArtifactUpload, { coordinator, job, log, signal }: ArtifactsRun): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    let answer: Answer | undefined;
    let trouble: string;
    try {
      answer = await coordinator.uploadArtifact(job, upload, signal);
      if ([201, 403, 413].includes(answer.status)) return answer;
      trouble = describeAnswer(answer);
    } catch (error) {
      signal.throwIfAborted();
      if (tries >= TRIES) throw new Error(`Uploading artifacts failed: ${(error as Error).message}`, { cause: error });
      trouble = (error as Error).message;
    }
    const most = answer && [429, 503].includes(answer.status) ? TRIES_WHEN_BUSY : TRIES;
    if (answer && tries >= most) return answer;
    log.line(
      `\x1b[0;33mWARNING: Uploading artifacts as ${JSON.stringify(upload.type)} to coordinator... ${trouble}; trying again\x1b[0;m`,
    );
    const asked = answer && askedPause(answer.headers, Date.now());
    await pause(Math.min(asked ?? 1000 * 2 ** (tries - 1), LONGEST_PAUSE_MS), signal);
    signal.throwIfAborted();
  }
}

function meaning(answer: Answer): string {
  if (answer.status === 413) return `the artifacts are too large for the coordinator (${describeAnswer(answer)})`;
  if (answer.status === 403) return `the coordinator does not take artifacts of this job (${describeAnswer(answer)})`;
  return describeAnswer(answer);
}
