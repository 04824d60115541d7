import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

export const RUNNER_TOKEN = 'glrt-k3Zp0Yt7Q2mN8sVb1xWd';

interface ScriptedAnswer {
  status: number;
  headers?: Record<string, string>;
}

/** What came in one upload. */
export interface UploadedArtifact {
  query: Record<string, string>;
  fileName: string;
  size: number;
  sha256: string;
  /** Empty where the coordinator does not keep them. */
  bytes: Buffer;
}

/** A job as the coordinator knows it, and all that the runner told about it. */
export class CoordinatorJob {
  log: Buffer = Buffer.alloc(0);
  /** Sent with every answer about the job. */
  status = 'running';
  acknowledged = false;
  final: Record<string, any> | undefined;
  readonly updates: Record<string, any>[] = [];
  readonly artifacts: UploadedArtifact[] = [];
  patches = 0;

  constructor(
    readonly id: number,
    readonly token: string,
  ) {}

  /** The log; escape characters are shown as `<ESC>`. */
  get text(): string {
    return this.log.toString().replaceAll('\x1b', '<ESC>');
  }
}

/**
 * A coordinator on loopback that speaks what runner-api.md prescribes and writes down every request that departs from it. It keeps
 * the log by byte offsets as GitLab does, and refuses where GitLab would.
 */
export class StrictCoordinator {
  readonly violations: string[] = [];
  /** Large artifacts are counted and hashed, not kept. */
  keepsArtifacts = true;
  readonly jobs = new Map<number, CoordinatorJob>();
  readonly requests: { method: string; path: string; body: any }[] = [];
  /** How long an empty request is held. */
  holdMs = 20_000;
  updateInterval = 1;
  /** Answers in place of the protocol's; `drop` closes the connection without one. */
  intercept: (method: string, path: string, body: Buffer) => ScriptedAnswer | 'drop' | undefined = () => undefined;
  /** Before any other answer. */
  delay: (method: string, path: string) => Promise<void> | undefined = () => undefined;
  private readonly payloads: Record<string, any>[] = [];
  private readonly queue: Record<string, unknown>[] = [];
  private readonly waiters = new Set<() => void>();
  private readonly watchers = new Set<() => void>();
  private server: http.Server;
  private port = 0;
  private nextId = 5000;

  private constructor() {
    this.server = this.createServer();
  }

  static async start(): Promise<StrictCoordinator> {
    const coordinator = new StrictCoordinator();
    await coordinator.listen();
    return coordinator;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Makes a job from what differs from the smallest one, and hands it to the next request. */
  enqueue(script: string[], payload: Record<string, any> = {}): CoordinatorJob {
    const id = this.nextId++;
    const job = new CoordinatorJob(id, `glcbt-job${id}token`);
    this.jobs.set(id, job);
    const whole = {
      id,
      token: job.token,
      job_info: { id, name: 'test', stage: 'test', project_id: 12, project_full_path: 'demo/app' },
      git_info: { repo_url: '', sha: '', ref: 'main', refspecs: [], depth: 0 },
      runner_info: { timeout: 3600 },
      steps: [
        { name: 'script', script, timeout: 3600, when: 'on_success', allow_failure: false },
        ...(payload['moreSteps'] ?? []),
      ],
      features: { trace_sections: true, failure_reasons: ['script_failure', 'job_canceled'] },
      ...payload,
      variables: [{ key: 'GIT_STRATEGY', value: 'none' }, ...(payload['variables'] ?? [])],
    };
    this.queue.push(whole);
    this.payloads.push(whole);
    for (const wake of this.waiters) wake();
    return job;
  }

  /** Resolves as soon as the condition holds; it is looked at after every request. */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.watchers.delete(look);
        reject(
          new Error(
            `not reached within ${limitMs} ms; logs so far:\n${[...this.jobs.values()].map((job) => job.text).join('\n')}`,
          ),
        );
      }, limitMs);
      const look = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
    });
  }

  /** An entry of `dependencies` for what a job uploaded. */
  dependencyOn(job: CoordinatorJob, name = 'earlier'): Record<string, unknown> {
    return { id: job.id, name, token: `glcbt-reads${job.id}`, artifacts_file: { filename: 'artifacts.zip', size: 1 } };
  }

  async ended(job: CoordinatorJob): Promise<void> {
    await this.until(() => job.final !== undefined);
  }

  /** Goes away as a crashed server does; `listen` brings it back at the same port. */
  async crash(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** Closes connections that wait for a request, as servers do after a while. */
  closeIdleConnections(): void {
    this.server.closeIdleConnections();
  }

  async listen(): Promise<void> {
    this.server = this.createServer();
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  private createServer(): http.Server {
    return http.createServer((request, response) => {
      if (request.method === 'POST' && /^\/api\/v4\/jobs\/\d+\/artifacts\b/.test(request.url ?? '')) {
        void this.takeArtifact(request, response);
        return;
      }
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => void this.answer(request, response, Buffer.concat(parts)));
    });
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const method = request.method ?? '';
    const path = pathname.replace('/api/v4/', '');
    const expect = this.expectations(request);
    expect(Number(request.headers['content-length'] ?? 0) === body.length, 'Content-Length');
    const json = method === 'PATCH' || method === 'GET' ? undefined : JSON.parse(body.toString());
    this.requests.push({ method, path, body: json });
    this.look();
    await this.delay(method, path);
    const scripted = this.intercept(method, path, body);
    if (scripted === 'drop') request.socket.destroy();
    else if (scripted) response.writeHead(scripted.status, scripted.headers).end();
    else if (method === 'POST' && path === 'jobs/request') await this.giveJob(request, response, json, expect);
    else if (method === 'GET') this.giveArtifact(request, response, path, searchParams, expect);
    else if (path === 'runners/verify') this.verify(request, response, json, expect);
    else if (method === 'DELETE') this.forget(response, path, json, expect);
    else if (method === 'PUT') this.update(request, response, path, json, expect);
    else if (method === 'PATCH') this.append(request, response, path, searchParams, body, expect);
    else {
      expect(false, 'unknown call');
      response.writeHead(404).end();
    }
    this.look();
  }

  private expectations(request: http.IncomingMessage): (holds: boolean, rule: string) => void {
    const expect = (holds: boolean, rule: string) => {
      if (!holds) this.violations.push(`${request.method} ${request.url}: ${rule}`);
    };
    expect(request.url?.startsWith('/api/v4/') ?? false, 'outside of /api/v4');
    expect(/^[0-9a-f]{32}$/.test(String(request.headers['x-request-id'])), 'X-Request-Id is 32 hex digits');
    expect(/^flagfall-runner \d/.test(request.headers['user-agent'] ?? ''), 'User-Agent');
    return expect;
  }

  private verify(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    body: any,
    expect: (holds: boolean, rule: string) => void,
  ): void {
    expect(request.headers['runner-token'] === body.token, 'token in header and body');
    expect(/^r_[0-9a-z]{12}$/.test(body.system_id), 'system_id');
    if (body.token !== RUNNER_TOKEN) return void response.writeHead(403).end();
    const answer = { id: 9, token: body.token, token_expires_at: null };
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  }

  private forget(
    response: http.ServerResponse,
    path: string,
    body: any,
    expect: (holds: boolean, rule: string) => void,
  ): void {
    expect(path === 'runners/managers', 'a glrt- runner is unregistered by its manager');
    expect(/^r_[0-9a-z]{12}$/.test(body.system_id), 'system_id');
    response.writeHead(body.token === RUNNER_TOKEN ? 204 : 403).end();
  }

  /** Takes an upload as it comes: nothing of it is held that is not to be kept. */
  private async takeArtifact(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const expect = this.expectations(request);
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const path = pathname.replace('/api/v4/', '');
    this.requests.push({ method: 'POST', path, body: undefined });
    const job = this.find(request, path, /^jobs\/(\d+)\/artifacts$/, expect);
    expect(request.headers['transfer-encoding'] === 'chunked', 'uploads are chunked');
    expect(request.headers['content-length'] === undefined, 'uploads have no Content-Length');
    expect(job?.final === undefined, 'artifacts come before the final state');
    const query = Object.fromEntries(searchParams);
    for (const [key, value] of Object.entries(query)) {
      expect(['artifact_format', 'artifact_type', 'expire_in'].includes(key) && value !== '', `query ${key}`);
    }
    const scripted = this.intercept('POST', path, Buffer.alloc(0));
    if (scripted === 'drop') return void request.socket.destroy();
    if (scripted) {
      // As a server does that has read enough.
      response.writeHead(scripted.status, { Connection: 'close', ...scripted.headers }).end();
      return this.look();
    }
    const boundary = /^multipart\/form-data; boundary=([A-Za-z0-9-]{1,70})$/.exec(
      request.headers['content-type'] ?? '',
    )?.[1];
    expect(boundary !== undefined, 'multipart with a boundary');
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const hash = createHash('sha256');
    const kept: Buffer[] = [];
    let size = 0;
    let fileName: string | undefined;
    let open = Buffer.alloc(0);
    const add = (bytes: Buffer) => {
      hash.update(bytes);
      size += bytes.length;
      if (this.keepsArtifacts) kept.push(bytes);
    };
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        open = Buffer.concat([open, chunk]);
        const end = fileName === undefined ? open.indexOf('\r\n\r\n') : -1;
        if (end >= 0) {
          const head = open.subarray(0, end).toString();
          const form =
            /^--(\S+)\r\nContent-Disposition: form-data; name="file"; filename="([^"]+)"\r\nContent-Type: application\/octet-stream$/;
          expect(form.exec(head)?.[1] === boundary, `one part named file: ${head}`);
          fileName = form.exec(head)?.[2] ?? '';
          open = open.subarray(end + 4);
        }
        if (fileName === undefined || open.length <= tail.length) continue;
        add(open.subarray(0, open.length - tail.length));
        open = Buffer.from(open.subarray(open.length - tail.length));
      }
    } catch {
      // The runner ended the upload.
      return;
    }
    expect(open.equals(tail), 'the end of the multipart body');
    job?.artifacts.push({
      query,
      fileName: fileName ?? '',
      size,
      sha256: hash.digest('hex'),
      bytes: Buffer.concat(kept),
    });
    response.writeHead(201, { 'Content-Type': 'application/json' }).end('{}');
    this.look();
  }

  private giveArtifact(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
    query: URLSearchParams,
    expect: (holds: boolean, rule: string) => void,
  ): void {
    const id = Number(/^jobs\/(\d+)\/artifacts$/.exec(path)?.[1]);
    const tries = this.requests.filter((one) => one.method === 'GET' && one.path === path).length;
    expect(tries > 1 || query.get('direct_download') === 'true', 'the first try welcomes a redirect');
    const tokens = this.payloads.flatMap((payload) => payload['dependencies'] ?? []).filter((one) => one.id === id);
    const known = tokens.some((one) => one.token === request.headers['job-token']);
    expect(known, 'JOB-TOKEN of the dependency');
    const archive = this.jobs.get(id)?.artifacts.find((one) => one.query['artifact_type'] === 'archive');
    if (!known || !archive) return void response.writeHead(known ? 404 : 401).end();
    response.writeHead(200, { 'Content-Type': 'application/zip' }).end(archive.bytes);
  }

  private look(): void {
    for (const look of this.watchers) look();
  }

  private async giveJob(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    body: any,
    expect: (holds: boolean, rule: string) => void,
  ): Promise<void> {
    expect(request.headers['content-type'] === 'application/json', 'JSON');
    expect(request.headers.accept === 'application/json', 'Accept');
    expect(request.headers['runner-token'] === RUNNER_TOKEN && body.token === RUNNER_TOKEN, 'token in header and body');
    expect(/^r_[0-9a-z]{12}$/.test(body.system_id), 'system_id');
    for (const key of ['name', 'version', 'revision', 'platform', 'architecture', 'executor', 'shell']) {
      expect(typeof body.info[key] === 'string' && body.info[key] !== '', `info.${key}`);
    }
    expect(body.info.config.gpus === '', 'info.config');
    expect(
      Object.values(body.info.features).every((feature) => typeof feature === 'boolean'),
      'info.features',
    );
    for (const feature of [
      'cancel_gracefully',
      'two_phase_job_commit',
      'raw_variables',
      'refspecs',
      'masking',
      'trace_checksum',
    ]) {
      expect(body.info.features[feature] === true, `feature ${feature}`);
    }
    if (this.queue.length === 0) await this.hold(response);
    if (response.destroyed) return;
    const job = this.queue.shift();
    if (job) response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify(job));
    else response.writeHead(204, { 'X-GitLab-Last-Update': 'token-1' }).end();
  }

  private async hold(response: http.ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.waiters.delete(end);
        resolve();
      };
      const timer = setTimeout(end, this.holdMs);
      this.waiters.add(end);
      response.on('close', end);
    });
  }

  private update(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
    body: any,
    expect: (holds: boolean, rule: string) => void,
  ): void {
    const job = this.find(request, path, /^jobs\/(\d+)$/, expect);
    expect(request.headers['content-type'] === 'application/json', 'JSON');
    expect(body.token === job?.token, 'token in the body');
    expect(['running', 'success', 'failed'].includes(body.state), 'state');
    if (!job) return void response.writeHead(403).end();
    if (job.updates.length === 0)
      expect(body.state === 'running' && Object.keys(body.output).length === 0, 'acknowledgement');
    job.updates.push(body);
    if (job.status === 'canceled') return void response.writeHead(403, { 'Job-Status': 'canceled' }).end();
    if (job.final) return void response.writeHead(403, { 'Job-Status': job.final['state'] }).end();
    if (job.updates.length > 1) {
      const { checksum, bytesize } = body.output;
      expect(body.checksum === checksum && /^crc32:[0-9a-f]{8}$/.test(checksum), 'checksum');
      if (body.state === 'running') expect(bytesize >= job.log.length, 'bytesize');
      else {
        expect(bytesize === job.log.length, `bytesize ${bytesize}, log ${job.log.length}`);
        expect(checksum === `crc32:${crc32(job.log).toString(16).padStart(8, '0')}`, 'checksum of the log');
      }
    }
    if (body.state === 'success')
      expect(!('failure_reason' in body) && !('exit_code' in body), 'success has no reason');
    if (body.state === 'failed') {
      expect(typeof body.failure_reason === 'string', 'failure_reason');
      expect(!('exit_code' in body) || (Number.isInteger(body.exit_code) && body.exit_code > 0), 'exit_code');
    }
    if (body.state === 'running') job.acknowledged = true;
    else job.final = body;
    response.writeHead(200, this.jobHeaders(job)).end();
  }

  private append(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
    query: URLSearchParams,
    body: Buffer,
    expect: (holds: boolean, rule: string) => void,
  ): void {
    const job = this.find(request, path, /^jobs\/(\d+)\/trace$/, expect);
    const range = /^(\d+)-(\d+)$/.exec(String(request.headers['content-range']));
    expect(request.headers['content-type'] === 'text/plain', 'Content-Type');
    expect(['true', 'false'].includes(query.get('debug_trace') ?? ''), 'debug_trace');
    expect(body.length > 0 && body.length <= 1024 * 1024, 'size of a PATCH');
    expect(range !== null && Number(range[2]) - Number(range[1]) + 1 === body.length, 'Content-Range');
    if (!job) return void response.writeHead(403).end();
    expect(job.acknowledged, 'the log before the acknowledgement');
    job.patches++;
    if (job.status === 'canceled') return void response.writeHead(403, { 'Job-Status': 'canceled' }).end();
    expect(job.final === undefined, 'the log after the end');
    const fits = Number(range?.[1]) === job.log.length;
    if (fits) job.log = Buffer.concat([job.log, body]);
    response.writeHead(fits ? 202 : 416, { Range: `0-${job.log.length}`, ...this.jobHeaders(job) }).end();
  }

  private find(
    request: http.IncomingMessage,
    path: string,
    pattern: RegExp,
    expect: (holds: boolean, rule: string) => void,
  ): CoordinatorJob | undefined {
    const job = this.jobs.get(Number(pattern.exec(path)?.[1]));
    expect(job !== undefined && request.headers['job-token'] === job.token, 'JOB-TOKEN of a known job');
    return job;
  }

  private jobHeaders(job: CoordinatorJob): Record<string, string> {
    return { 'Job-Status': job.status, 'X-GitLab-Trace-Update-Interval': String(this.updateInterval) };
  }
}
