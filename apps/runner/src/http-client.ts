import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { RUNNER_VERSION } from './version.js';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

interface Call {
  method: string;
  /** Relative to the base, or absolute. */
  url: string;
  headers: http.OutgoingHttpHeaders;
  /** Bytes, or what makes a stream of them, sent in chunks: made anew for each try. */
  body?: Buffer | (() => Readable);
  limitMs: number;
  signal?: AbortSignal;
  /** Takes the body of a 200 as it comes; the answer's `body` is empty then. */
  receive?: (body: Readable) => Promise<void>;
}

/** Go's names, which GitLab shows. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386' };

export const ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

/** No job description or error comes near this; more is refused rather than held in memory. */
const LARGEST_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * HTTP to one server, over connections that are kept.
 *
 * On `node:http`, not `fetch`: measured on loopback, a PUT takes 0.3 ms against 0.8–1.0 ms, the first one 12 ms against 49 ms, and
 * `fetch` adds browser headers that no runner sends.
 */
export class HttpClient {
  readonly base: URL;
  private readonly agents: Record<string, http.Agent>;

  /** @param base ends in a slash */
  constructor(base: string) {
    this.base = new URL(base);
    // TCP keep-alive ends a held request whose other end vanished without a word, long before its limit.
    const options = { keepAlive: true, keepAliveMsecs: 10_000 };
    this.agents = { 'http:': new http.Agent(options), 'https:': new https.Agent(options) };
  }

  /**
   * Sends one request and returns its answer, whatever its status.
   * @throws when there is no answer: no connection, too late, aborted, or what `receive` or the body's stream threw
   */
  async send(call: Call): Promise<Answer> {
    // Not AbortSignal.any: the long-lived signal would remember every request ever made.
    const ended = new AbortController();
    const end = () => ended.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      end();
    }, call.limitMs);
    call.signal?.addEventListener('abort', end, { once: true });
    if (call.signal?.aborted) end();
    try {
      return await this.exchange(call, ended.signal).catch((error: unknown) => {
        if (!(error instanceof StaleConnection) || ended.signal.aborted) throw error;
        return this.exchange(call, ended.signal);
      });
    } catch (error) {
      if (late) throw new Error(`no answer within ${call.limitMs / 1000} s`, { cause: error });
      throw error;
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', end);
    }
  }

  /** Closes idle connections. */
  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  private exchange({ method, url, headers, body, receive }: Call, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const target = new URL(url, this.base);
      const stream = typeof body === 'function' ? body() : undefined;
      const options: https.RequestOptions = {
        method,
        agent: this.agents[target.protocol],
        signal,
        headers: {
          ...headers,
          ...(Buffer.isBuffer(body) ? { 'Content-Length': body.length } : {}),
          'User-Agent': `flagfall-runner ${RUNNER_VERSION} (${process.platform}/${ARCHITECTURE})`,
          'X-Request-Id': randomBytes(16).toString('hex'),
        },
      };
      const request = target.protocol === 'https:' ? https.request(target, options) : http.request(target, options);
      let answered = false;
      const fail = (error: Error) => {
        stream?.destroy();
        reject(error);
      };
      request.on('error', (error: NodeJS.ErrnoException) => {
        // A server that has refused an upload may close the connection while it is still being sent.
        if (answered) return;
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        fail(stale ? new StaleConnection('the connection was closed while idle', { cause: error }) : error);
      });
      request.on('response', (response) => {
        answered = true;
        const status = response.statusCode ?? 0;
        const taken = receive && status === 200 ? receive(response).then(() => Buffer.alloc(0)) : readAll(response);
        taken
          .then((bytes) => resolve({ status, headers: response.headers, body: bytes }), fail)
          .finally(() => {
            // Nobody reads the rest of what was refused, or of what could not be kept.
            stream?.destroy();
            if (!request.writableFinished || !response.readableEnded) request.destroy();
          });
      });
      if (stream) {
        stream.on('error', (error) => {
          request.destroy();
          fail(error);
        });
        stream.pipe(request);
      } else request.end(body);
    });
  }
}

async function readAll(response: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size > LARGEST_ANSWER_BYTES) throw new Error(`answer larger than ${LARGEST_ANSWER_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}

/**
 * A kept connection that the other side had closed by the time it was used: sent again once on a fresh one. Every call of the
 * protocol bears repetition (a repeated PATCH is answered 416, a job handed out twice is given back by its hand-over timer).
 */
class StaleConnection extends Error {}
