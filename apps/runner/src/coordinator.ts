import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { contentRange } from './content-range.js';
import { RUNNER_VERSION } from './version.js';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** What a running job is known by to the coordinator. */
interface JobCredential {
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

/** A held job request is ended by the coordinator, at 50 s usually (runner-api.md §2.3); this only catches one that never is. */
const JOB_REQUEST_LIMIT_MS = 120_000;
const UPDATE_LIMIT_MS = 30_000;
/** A PATCH carries up to 1 MiB, possibly over a slow line. */
const TRACE_LIMIT_MS = 60_000;
/** No job description or error comes near this; more is refused rather than held in memory. */
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;

/** Honest: only what this runner does (runner-api.md §2.1). */
const FEATURES = {
  variables: true, image: false, services: false, artifacts: false, cache: false, fallback_cache_keys: false, shared: true,
  upload_multiple_artifacts: false, upload_raw_artifacts: false, session: false, terminal: false, refspecs: true, masking: true,
  proxy: false, raw_variables: true, artifacts_exclude: false, multi_build_steps: true, trace_reset: true, trace_checksum: true,
  trace_size: true, vault_secrets: false, cancelable: true, return_exit_code: true, service_variables: false,
  service_multiple_aliases: false, image_executor_opts: false, service_executor_opts: false, cancel_gracefully: true,
  native_steps_integration: false, two_phase_job_commit: true, job_inputs: false,
}; // prettier-ignore

/** Go's names, which GitLab shows. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };

export const ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

const INFO = {
  name: 'flagfall-runner',
  version: RUNNER_VERSION,
  revision: RUNNER_VERSION,
  platform: process.platform,
  architecture: ARCHITECTURE,
  executor: 'shell',
  shell: 'bash',
  features: FEATURES,
  config: { gpus: '' },
};

/**
 * The coordinator's side of GitLab's runner protocol, one method per call; what an answer means is decided by its readers.
 *
 * On `node:http`, not `fetch`: measured on loopback, a PUT takes 0.3 ms against 0.8–1.0 ms, the first one 12 ms against 49 ms, and
 * `fetch` adds browser headers that no runner sends.
 */
export class Coordinator {
  private readonly base: URL;
  private readonly agent: http.Agent;
  private lastUpdate: string | undefined;

  /**
   * @param url as `gitlab-runner` takes it: trailing slashes and a trailing `/ci` do not count, a sub-path does
   * @param systemId tells the machines that share a token apart
   */
  constructor(
    url: string,
    private readonly runnerToken: string,
    private readonly systemId: string,
  ) {
    this.base = new URL(`${url.replace(/\/+$/, '').replace(/\/ci$/, '')}/api/v4/`);
    // TCP keep-alive ends a held request whose other end vanished without a word long before JOB_REQUEST_LIMIT_MS.
    const options = { keepAlive: true, keepAliveMsecs: 10_000 };
    this.agent = this.base.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
  }

  /** `POST jobs/request`; held by the coordinator until there is a job or its patience ends. */
  async requestJob(signal: AbortSignal): Promise<Answer> {
    const body = { info: INFO, token: this.runnerToken, system_id: this.systemId, last_update: this.lastUpdate };
    const headers = { 'RUNNER-TOKEN': this.runnerToken, Accept: 'application/json' };
    const answer = await this.sendJson('POST', 'jobs/request', headers, body, JOB_REQUEST_LIMIT_MS, signal);
    const lastUpdate = answer.headers['x-gitlab-last-update'];
    if (typeof lastUpdate === 'string' && lastUpdate !== '') this.lastUpdate = lastUpdate;
    return answer;
  }

  /** `PUT jobs/:id`. */
  updateJob(job: JobCredential, update: JobUpdate, signal?: AbortSignal): Promise<Answer> {
    const body = { info: INFO, token: job.token, ...update };
    return this.sendJson('PUT', `jobs/${job.id}`, { 'JOB-TOKEN': job.token }, body, UPDATE_LIMIT_MS, signal);
  }

  /** `PATCH jobs/:id/trace`. @param start offset of `bytes` in the log @param bytes 1 byte to 1 MiB */
  appendTrace(job: JobCredential, start: number, bytes: Buffer, debug: boolean, signal?: AbortSignal): Promise<Answer> {
    const headers = {
      'JOB-TOKEN': job.token,
      'Content-Type': 'text/plain',
      'Content-Range': contentRange(start, bytes.length),
    };
    return this.send('PATCH', `jobs/${job.id}/trace?debug_trace=${debug}`, headers, bytes, TRACE_LIMIT_MS, signal);
  }

  /** Closes idle connections. */
  close(): void {
    this.agent.destroy();
  }

  private sendJson(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders,
    body: object,
    limitMs: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const bytes = Buffer.from(JSON.stringify(body));
    return this.send(method, path, { ...headers, 'Content-Type': 'application/json' }, bytes, limitMs, signal);
  }

  private async send(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders,
    body: Buffer,
    limitMs: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    // Not AbortSignal.any: the long-lived signal would remember every request ever made.
    const ended = new AbortController();
    const end = () => ended.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      end();
    }, limitMs);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
    try {
      return await this.exchange(method, path, headers, body, ended.signal).catch((error: unknown) => {
        if (!(error instanceof StaleConnection) || ended.signal.aborted) throw error;
        return this.exchange(method, path, headers, body, ended.signal);
      });
    } catch (error) {
      if (late) throw new Error(`no answer within ${limitMs / 1000} s`, { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }

  private exchange(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options: https.RequestOptions = {
        method,
        agent: this.agent,
        signal,
        headers: {
          ...headers,
          'Content-Length': body.length,
          'User-Agent': `flagfall-runner ${RUNNER_VERSION} (${process.platform}/${ARCHITECTURE})`,
          'X-Request-Id': randomBytes(16).toString('hex'),
        },
      };
      const url = new URL(path, this.base);
      const request = this.base.protocol === 'https:' ? https.request(url, options) : http.request(url, options);
      request.on('error', (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection('the connection was closed while idle', { cause: error }) : error);
      });
      request.on('response', (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          parts.push(part);
          size += part.length;
          if (size > LARGEST_ANSWER_BYTES)
            request.destroy(new Error(`answer larger than ${LARGEST_ANSWER_BYTES} bytes`));
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
        );
      });
      request.end(body);
    });
  }
}

/**
 * A kept connection that the other side had closed by the time it was used: sent again once on a fresh one. Every call of the
 * protocol bears repetition (a repeated PATCH is answered 416, a job handed out twice is given back by its hand-over timer).
 */
class StaleConnection extends Error {}

/** The readable part of an error answer: its `message`, else its first line; for the operator's console. */
export function describeAnswer(answer: Answer): string {
  let message: unknown;
  try {
    message = (JSON.parse(answer.body.toString()) as { message?: unknown }).message;
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
