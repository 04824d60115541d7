import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Headers, Patch, Post, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  forbidden,
  invalidParameters,
  Refusal,
  ReportJob,
  RequestJob,
  RunnerCall,
  ShowOwnJob,
  type Status,
  unauthorized,
} from '#libs/contracts';
import { findCredentials } from '../access/credentials.js';
import { Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { IntegerParameter, MapParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { JobResponse, presentJob } from '../jobs/job.response.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { HeldRequests } from './held-requests.js';
import { RunnerTokenResponse } from './runner.response.js';

/** Seconds between a runner's reports; a cancel reaches it with the next one. */
const updateInterval = 3;
/** A piece of log is at most 1 MiB (runner-api.md §4.1); some runners add a little. */
const pieceLimit = 2 * 1024 * 1024;
/** Whatever a job prints beyond this is not kept, and the job ends: it would fill the disk. */
const logLimit = 100 * 1024 * 1024;

class RunnerToken {
  @StringParameter({ required: true }) token!: string;
  @StringParameter() system_id?: string | null;
}

class JobRequestParameters extends RunnerToken {
  @MapParameter() info?: Record<string, unknown> | null;
  @StringParameter() last_update?: string | null;
}

class JobReportParameters {
  @IntegerParameter({ required: true }) job_id!: number;
  @StringParameter() token?: string | null;
  @StringParameter({ required: true }) state!: string;
  @StringParameter() failure_reason?: string | null;
  @IntegerParameter() exit_code?: number | null;
}

class ThisJob {
  @IntegerParameter({ required: true }) job_id!: number;
}

/** What runners call (runner-api.md): every status, header and type counts, since a runner drops what it does not expect. */
@Controller()
@Needs('nothing')
export class RunnerApiController {
  constructor(
    private readonly services: Services,
    private readonly held: HeldRequests,
    private readonly logs: JobLogs,
    private readonly config: GatewayConfig,
  ) {}

  /** Runners are made by a user first; tokens that let anybody register one are not given out. */
  @Post('runners')
  @Endpoint({ summary: 'Register a runner with a registration token (not offered)', success: 201, errors: [410] })
  register(): never {
    throw new Refusal(410, {
      message: '410 Gone - registration tokens are not offered; create the runner with POST /user/runners',
    });
  }

  @Post('runners/verify')
  @Endpoint({ summary: 'Check a runner’s token', returns: RunnerTokenResponse, errors: [403] })
  async verify(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    const { id } = await this.#call(token, 'verify');
    return { id, token, token_expires_at: null };
  }

  @Delete('runners')
  @Endpoint({ summary: 'Remove a runner by its token', success: 204, errors: [403] })
  async remove(@Parameters(RunnerToken) { token }: RunnerToken): Promise<void> {
    await this.#call(token, 'remove');
  }

  @Delete('runners/managers')
  @Endpoint({ summary: 'Forget one machine of a runner', success: 204, errors: [403, 404] })
  async forgetMachine(@Parameters(RunnerToken) { token, system_id }: RunnerToken): Promise<void> {
    if (!system_id) throw invalidParameters('system_id is missing');
    await this.#call(token, 'forget-machine', { systemId: system_id });
  }

  @Post('runners/reset_authentication_token')
  @Endpoint({ summary: 'Give a runner another token', success: 201, returns: RunnerTokenResponse, errors: [403] })
  async resetToken(@Parameters(RunnerToken) { token }: RunnerToken): Promise<RunnerTokenResponse> {
    const fresh = newSecret('glrt');
    const { id } = await this.#call(token, 'reset', { newTokenHash: hashOf(fresh) });
    return { id, token: fresh, token_expires_at: null };
  }

  @Post('jobs/request')
  @Endpoint({ summary: 'Ask for a job; held while there is none', success: 201, errors: [403] })
  async request(
    @Parameters(JobRequestParameters) parameters: JobRequestParameters,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const found = await this.held.hold(
      () => this.#tryForJob(parameters, request.ip),
      this.config.requestHoldMs,
      gone.signal,
    );
    if (found?.outcome === 'unknown runner') throw forbidden();
    void reply.header('X-GitLab-Last-Update', parameters.last_update || randomUUID());
    if (found?.outcome === 'assigned') await reply.status(201).type('application/json').send(found.payload);
    else await reply.status(204).send();
  }

  async #tryForJob({ token, system_id, info }: JobRequestParameters, ipAddress: string) {
    const jobToken = newSecret('glcbt');
    const result = await this.services.ask(RequestJob, {
      tokenHash: hashOf(token),
      systemId: system_id || '<legacy>',
      info: runnerInfo(info ?? {}),
      ipAddress,
      jobToken,
      jobTokenHash: hashOf(jobToken),
    });
    return result.outcome === 'none' ? undefined : result;
  }

  @Put('jobs/:job_id')
  @Endpoint({ summary: 'Report how a job goes', errors: [403] })
  async report(
    @Parameters(JobReportParameters) parameters: JobReportParameters,
    @Headers('job-token') header: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<number> {
    const { state } = parameters;
    if (state !== 'running' && state !== 'success' && state !== 'failed' && state !== 'pending')
      throw invalidParameters('state does not have a valid value');
    const { accepted, jobStatus } = await this.services.ask(ReportJob, {
      jobId: parameters.job_id,
      tokenHash: hashOf(parameters.token || header || ''),
      state: state === 'pending' ? 'alive' : state,
      failureReason: parameters.failure_reason,
      exitCode: parameters.exit_code,
      traceSize: await this.logs.size(parameters.job_id),
    });
    this.#headers(reply, jobStatus);
    if (!accepted) throw forbidden();
    return 200;
  }

  @Patch('jobs/:job_id/trace')
  @RequestBody({ as: 'buffer', limit: pieceLimit })
  @Endpoint({ summary: 'Add a piece to a job’s log', success: 202, errors: [403, 416] })
  async appendLog(
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
    @Headers() headers: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    // Only the start counts: very old runners give an end that is one too large (runner-api.md §4.1).
    const start = /^(\d{1,15})-\d*$/.exec(headers['content-range']?.trim() ?? '')?.[1];
    if (start === undefined) throw new Refusal(400, { message: '400 Bad request - Content-Range is missing' });
    const tokenHash = hashOf(headers['job-token'] ?? '');
    const piece = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const { accepted, jobStatus } = await this.services.ask(ReportJob, {
      jobId,
      tokenHash,
      state: 'alive',
      traceSize: Number(start) + piece.length,
    });
    this.#headers(reply, jobStatus);
    if (!accepted) throw forbidden();
    if (Number(start) + piece.length > logLimit) {
      await this.services.ask(ReportJob, {
        jobId,
        tokenHash,
        state: 'failed',
        failureReason: 'trace_size_exceeded',
        traceSize: Number(start),
      });
      throw forbidden('Trace is too large');
    }
    const { taken, size } = await this.logs.append(jobId, Number(start), piece);
    void reply.header('Range', `0-${size}`).type('text/plain');
    if (!taken) void reply.status(416);
    return `0-${size}`;
  }

  @Get('job')
  @Endpoint({ summary: 'The job that a job token belongs to', returns: JobResponse, errors: [401, 404] })
  async ownJob(@Req() request: FastifyRequest): Promise<JobResponse> {
    const credentials = findCredentials(request.headers, (request.query ?? {}) as Record<string, unknown>, true);
    const facts = credentials && (await this.services.ask(ShowOwnJob, { tokenHash: hashOf(credentials.token) }));
    if (!facts) throw unauthorized();
    return presentJob(facts, this.config.externalUrl);
  }

  async #call(token: string, what: RunnerCall['what'], more: Partial<RunnerCall> = {}): Promise<{ id: number }> {
    const runner = await this.services.ask(RunnerCall, { tokenHash: hashOf(token), what, ...more });
    if (!runner) throw forbidden();
    return runner;
  }

  #headers(reply: FastifyReply, jobStatus: Status | null): void {
    if (jobStatus) void reply.header('Job-Status', jobStatus);
    void reply.header('X-GitLab-Trace-Update-Interval', String(updateInterval));
  }
}

function hashOf(token: string): string {
  return hashSecret(token).toString('hex');
}

/** All of it may be absent, and of any kind (runner-api.md §2.1). */
function runnerInfo(info: Record<string, unknown>) {
  const text = (name: string): string | undefined => (typeof info[name] === 'string' ? info[name] : undefined);
  const features = info['features'] as Record<string, unknown> | null | undefined;
  return {
    name: text('name'),
    version: text('version'),
    platform: text('platform'),
    architecture: text('architecture'),
    executor: text('executor'),
    cancelsGracefully: features?.['cancel_gracefully'] === true,
  };
}
