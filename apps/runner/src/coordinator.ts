import { randomBytes } from 'node:crypto';
import type http from 'node:http';
import { Readable } from 'node:stream';
import { contentRange } from './content-range.js';
import { ARCHITECTURE, HttpClient, type Answer } from './http-client.js';
import { RUNNER_VERSION } from './version.js';

/** What a job is known by to the coordinator. */
export interface JobCredential {
  id: number;
  token: string;
}

/** Body of `PUT jobs/:id` without the runner's own description (runner-api.md §3.1). */
export interface JobUpdate {
  state: 'running' | 'success' | 'failed';
  failure_reason?: string;
  exit_code?: number;
  checksum?: string;
  /** Empty in the acknowledgement. */
  output?: { checksum?: string; bytesize?: number };
}

/** A file of a job's artifacts as it is announced to the coordinator (runner-api.md §5.2). */
export interface ArtifactUpload {
  fileName: string;
  type: string;
  format: string;
  /** As the user wrote it; empty for the coordinator's default. */
  expireIn: string;
  /** Makes the bytes, for each try anew. */
  content: () => Readable;
}

/** A held job request is ended by the coordinator, at 50 s usually (runner-api.md §2.3); this only catches one that never is. */
const JOB_REQUEST_LIMIT_MS = 120_000;
const UPDATE_LIMIT_MS = 30_000;
/** A PATCH carries up to 1 MiB, possibly over a slow line. */
const TRACE_LIMIT_MS = 60_000;
/** As GitLab's runner has it for every request (runner-api.md §0). */
const TRANSFER_LIMIT_MS = 60 * 60_000;
const MOST_REDIRECTS = 5;

/** Honest: only what this runner does (runner-api.md §2.1). What takes Docker is true where jobs run in it. */
const describeFeatures = (docker: boolean) => ({
  variables: true, image: docker, services: docker, artifacts: true, cache: true, fallback_cache_keys: true, shared: !docker,
  upload_multiple_artifacts: true, upload_raw_artifacts: true, session: false, terminal: false, refspecs: true, masking: true,
  proxy: false, raw_variables: true, artifacts_exclude: true, multi_build_steps: true, trace_reset: true, trace_checksum: true,
  trace_size: true, vault_secrets: false, cancelable: true, return_exit_code: true, service_variables: docker,
  service_multiple_aliases: docker, image_executor_opts: false, service_executor_opts: false, cancel_gracefully: true,
  native_steps_integration: false, two_phase_job_commit: true, job_inputs: false,
}); // prettier-ignore

function describeRunner(executor: string) {
  return {
    name: 'flagfall-runner',
    version: RUNNER_VERSION,
    revision: RUNNER_VERSION,
    platform: process.platform,
    architecture: ARCHITECTURE,
    executor,
    shell: 'bash',
    features: describeFeatures(executor === 'docker'),
    config: { gpus: '' },
  };
}

/** The coordinator's side of GitLab's runner protocol, one method per call; what an answer means is decided by its readers. */
export class Coordinator {
  private readonly http: HttpClient;
  private readonly info: ReturnType<typeof describeRunner>;
  private lastUpdate: string | undefined;

  /**
   * @param url as `gitlab-runner` takes it: trailing slashes and a trailing `/ci` do not count, a sub-path does
   * @param systemId tells the machines that share a token apart
   */
  constructor(
    url: string,
    private readonly runnerToken: string,
    private readonly systemId: string,
    executor: string,
  ) {
    this.http = new HttpClient(`${url.replace(/\/+$/, '').replace(/\/ci$/, '')}/api/v4/`);
    this.info = describeRunner(executor);
  }

  /** `POST runners/verify`: whether the token is a runner's (runner-api.md §1.4). */
  verify(): Promise<Answer> {
    const body = { token: this.runnerToken, system_id: this.systemId, info: this.info };
    const headers = { 'RUNNER-TOKEN': this.runnerToken, Accept: 'application/json' };
    return this.sendJson('POST', 'runners/verify', headers, body, UPDATE_LIMIT_MS);
  }

  /** Takes this machine off a runner that was made first (`glrt-`), or the whole runner otherwise (runner-api.md §1.7). */
  unregister(): Promise<Answer> {
    const machine = this.runnerToken.startsWith('glrt-');
    const body = { token: this.runnerToken, ...(machine && { system_id: this.systemId }) };
    const headers = { 'RUNNER-TOKEN': this.runnerToken };
    return this.sendJson('DELETE', machine ? 'runners/managers' : 'runners', headers, body, UPDATE_LIMIT_MS);
  }

  /** `POST jobs/request`; held by the coordinator until there is a job or its patience ends. */
  async requestJob(signal: AbortSignal): Promise<Answer> {
    const body = { info: this.info, token: this.runnerToken, system_id: this.systemId, last_update: this.lastUpdate };
    const headers = { 'RUNNER-TOKEN': this.runnerToken, Accept: 'application/json' };
    const answer = await this.sendJson('POST', 'jobs/request', headers, body, JOB_REQUEST_LIMIT_MS, signal);
    const lastUpdate = answer.headers['x-gitlab-last-update'];
    if (typeof lastUpdate === 'string' && lastUpdate !== '') this.lastUpdate = lastUpdate;
    return answer;
  }

  /** `PUT jobs/:id`. */
  updateJob(job: JobCredential, update: JobUpdate, signal?: AbortSignal): Promise<Answer> {
    const body = { info: this.info, token: job.token, ...update };
    return this.sendJson('PUT', `jobs/${job.id}`, { 'JOB-TOKEN': job.token }, body, UPDATE_LIMIT_MS, signal);
  }

  /** `PATCH jobs/:id/trace`. @param start offset of `bytes` in the log @param bytes 1 byte to 1 MiB */
  appendTrace(job: JobCredential, start: number, bytes: Buffer, debug: boolean, signal?: AbortSignal): Promise<Answer> {
    const headers = {
      'JOB-TOKEN': job.token,
      'Content-Type': 'text/plain',
      'Content-Range': contentRange(start, bytes.length),
    };
    const url = `jobs/${job.id}/trace?debug_trace=${debug}`;
    return this.http.send({ method: 'PATCH', url, headers, body: bytes, limitMs: TRACE_LIMIT_MS, signal });
  }

  /**
   * `POST jobs/:id/artifacts`: parameters in the query, one part named `file`, chunked (runner-api.md §5.2). A 307 repeats it against
   * the scheme and host of its location.
   */
  async uploadArtifact(job: JobCredential, upload: ArtifactUpload, signal: AbortSignal): Promise<Answer> {
    const query = new URLSearchParams({ artifact_format: upload.format, artifact_type: upload.type });
    if (upload.expireIn !== '') query.set('expire_in', upload.expireIn);
    const boundary = `flagfall-${randomBytes(16).toString('hex')}`;
    const headers = { 'JOB-TOKEN': job.token, 'Content-Type': `multipart/form-data; boundary=${boundary}` };
    const url = new URL(`jobs/${job.id}/artifacts?${query.toString()}`, this.http.base);
    const send = (target: URL) =>
      this.http.send({
        method: 'POST',
        url: target.href,
        headers,
        body: () => filePart(boundary, upload.fileName, upload.content),
        limitMs: TRANSFER_LIMIT_MS,
        signal,
      });
    const answer = await send(url);
    const location = answer.status === 307 ? redirectOf(answer, url) : undefined;
    return location ? send(new URL(url.pathname + url.search, location.origin)) : answer;
  }

  /**
   * `GET jobs/:id/artifacts` (runner-api.md §5.3). Redirects are followed; the token goes to the coordinator alone.
   * @param direct whether a redirect to a store is welcome
   * @param receive takes the archive's bytes
   */
  async downloadArtifacts(
    job: JobCredential,
    direct: boolean,
    receive: (body: Readable) => Promise<void>,
    signal: AbortSignal,
  ): Promise<Answer> {
    let url = new URL(`jobs/${job.id}/artifacts${direct ? '?direct_download=true' : ''}`, this.http.base);
    for (let redirects = 0; ; redirects++) {
      const headers = url.origin === this.http.base.origin ? { 'JOB-TOKEN': job.token } : {};
      const call = { method: 'GET', url: url.href, headers, limitMs: TRANSFER_LIMIT_MS, signal, receive };
      const answer = await this.http.send(call);
      const location = [302, 307].includes(answer.status) ? redirectOf(answer, url) : undefined;
      if (location === undefined || redirects === MOST_REDIRECTS) return answer;
      url = location;
    }
  }

  /**
   * `POST <repository>/git-upload-pack` in git's protocol version 2, where the coordinator serves the repository itself: over the connection that is
   * there, past all that the machine's git may have been told about hosts.
   * @param repoUrl with the credentials
   * @param receive takes the body of a 200
   * @returns the status; 0 for a repository elsewhere, which is not asked
   */
  async uploadPack(
    repoUrl: string,
    body: Buffer,
    receive: (body: Readable) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number> {
    const url = URL.canParse(repoUrl) ? new URL(repoUrl) : undefined;
    if (url?.origin !== this.http.base.origin) return 0;
    const given = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    const headers = {
      ...(url.password !== '' && { Authorization: `Basic ${Buffer.from(given).toString('base64')}` }),
      'Content-Type': 'application/x-git-upload-pack-request',
      Accept: 'application/x-git-upload-pack-result',
      'Git-Protocol': 'version=2',
    };
    url.username = '';
    url.password = '';
    url.pathname += '/git-upload-pack';
    const limitMs = TRANSFER_LIMIT_MS;
    return (await this.http.send({ method: 'POST', url: url.href, headers, body, limitMs, signal, receive })).status;
  }

  /** Closes idle connections. */
  close(): void {
    this.http.close();
  }

  private sendJson(
    method: string,
    url: string,
    headers: http.OutgoingHttpHeaders,
    body: object,
    limitMs: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const bytes = Buffer.from(JSON.stringify(body));
    const all = { ...headers, 'Content-Type': 'application/json' };
    return this.http.send({ method, url, headers: all, body: bytes, limitMs, signal });
  }
}

/** A multipart body of one file, as it comes. */
function filePart(boundary: string, fileName: string, content: () => Readable): Readable {
  const name = fileName
    .replaceAll(/[\r\n]/g, '_')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"');
  const head =
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n` +
    'Content-Type: application/octet-stream\r\n\r\n';
  async function* parts() {
    yield Buffer.from(head);
    yield* content() as AsyncIterable<Buffer>;
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  }
  return Readable.from(parts(), { objectMode: false });
}

/** Where an answer leads; undefined where it does not say or it is no HTTP. */
function redirectOf({ headers }: Answer, from: URL): URL | undefined {
  if (headers.location === undefined || !URL.canParse(headers.location, from.href)) return undefined;
  const location = new URL(headers.location, from.href);
  return ['http:', 'https:'].includes(location.protocol) ? location : undefined;
}

/** The readable part of an error answer: its `message`, or its `error` where parameters are wrong. */
export function describeAnswer(answer: Answer): string {
  let message: unknown;
  try {
    const told = JSON.parse(answer.body.toString()) as { message?: unknown; error?: unknown };
    message = told.message ?? told.error;
  } catch {
    message = undefined;
  }
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return text === undefined ? `status ${answer.status}` : `status ${answer.status}: ${text.slice(0, 300)}`;
}

/**
 * How long the coordinator asks to wait, in milliseconds: `RateLimit-ResetTime` (a date), else `Retry-After` (seconds or a date)
 * (runner-api.md §0). Undefined when it does not say.
 */
export function askedPause(headers: http.IncomingHttpHeaders, now: number): number | undefined {
  const reset = Date.parse(String(headers['ratelimit-resettime'] ?? ''));
  if (!Number.isNaN(reset)) return Math.max(0, reset - now);
  const after = headers['retry-after'];
  if (after === undefined) return undefined;
  if (/^\s*\d{1,6}\s*$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
