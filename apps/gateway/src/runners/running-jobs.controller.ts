import { Controller, Get, Headers, Patch, Put, Req, Res } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { badRequest, ShowJob } from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import type { JobViewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint, headersOf } from '../http/endpoint.decorator.js';
import { BooleanParameter, ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { JobResponse, presentJob } from '../jobs/job.response.js';
import { Services } from '../services.js';
import { RunningJobs } from './running-jobs.js';

/** Seconds between a runner's reports; a cancel reaches it with the next one (runner-api.md §4.3). */
const updateInterval = 3;
/** A piece of log is at most 1 MiB (runner-api.md §4.1); some runners add a little. In bytes. */
const pieceLimit = 2 * 1024 * 1024;
/** Headers of the answer to every report. */
const toldToRunners = {
  'Job-Status': 'How the job goes as we see it; a runner stops what is canceled',
  'X-GitLab-Trace-Update-Interval': 'Seconds until the next report',
};
const states = ['pending', 'running', 'success', 'failed'] as const;

class ThisJob {
  @IntegerParameter({ required: true, minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) job_id!: number;
  @StringParameter({ description: 'Of the job; JOB-TOKEN does as well' }) token?: string | null;
}

class JobReport extends ThisJob {
  @ChoiceParameter(states, { required: true }) state!: (typeof states)[number];
  @StringParameter() failure_reason?: string | null;
  @IntegerParameter() exit_code?: number | null;
}

class LogPiece extends ThisJob {
  @BooleanParameter({ description: 'The log may show every variable of the job: only Developers read it' })
  debug_trace?: boolean | null;
}

/** Runners report on the jobs that they run (runner-api.md §3 and §4). */
@Controller()
export class RunningJobsController {
  constructor(
    private readonly jobs: RunningJobs,
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Put('jobs/:job_id')
  @Needs('nothing')
  @Endpoint({
    summary: 'Report how a job goes',
    returns: Number,
    headers: toldToRunners,
    errors: [403],
    tokenRefusals: [403],
  })
  async report(
    @Parameters(JobReport) { job_id: jobId, token, state, failure_reason, exit_code }: JobReport,
    @Headers('job-token') header: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<number> {
    const credential = token || header || '';
    const jobStatus =
      state === 'success' || state === 'failed'
        ? await this.jobs.end(jobId, credential, {
            state,
            failureReason: failure_reason,
            exitCode: exitCode(exit_code),
          })
        : await this.jobs.keep(jobId, credential, state);
    void reply.headers(reportHeaders(jobStatus));
    return 200;
  }

  @Patch('jobs/:job_id/trace')
  @Needs('nothing')
  @RequestBody({ as: 'buffer', limit: pieceLimit })
  @Endpoint({
    summary: 'Add a piece to a job’s log',
    description: 'Content-Range tells where it begins; Range of the answer, where the next piece does.',
    success: 202,
    contentType: 'text/plain',
    headers: { ...toldToRunners, Range: 'From 0 to where the next piece begins' },
    errors: [403],
    tokenRefusals: [403],
  })
  @ApiResponse({
    status: 416,
    description: 'The piece does not begin where the log ends',
    content: { 'text/plain': { schema: { type: 'string' } } },
    headers: headersOf({ ...toldToRunners, Range: 'From 0 to where the next piece begins' }),
  })
  async appendLog(
    @Parameters(LogPiece) { job_id: jobId, token, debug_trace: debugTrace }: LogPiece,
    @Headers() headers: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    // Only the start counts: very old runners give an end that is one too large (runner-api.md §4.1).
    const start = /^(\d{1,15})-\d*$/.exec(headers['content-range']?.trim() ?? '')?.[1];
    if (start === undefined) throw badRequest('Content-Range is missing, or is not <first byte>-<last byte>');
    const piece = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const credential = token || headers['job-token'] || '';
    const { jobStatus, taken, size } = await this.jobs.append(
      jobId,
      credential,
      Number(start),
      piece,
      debugTrace ?? false,
    );
    void reply.headers({ ...reportHeaders(jobStatus), Range: `0-${size}` });
    if (!taken) void reply.status(416);
    return `0-${size}`;
  }

  @Get('job')
  @Needs('job')
  @Endpoint({ summary: 'The job that a job token belongs to', returns: JobResponse, errors: [401, 404] })
  async ownJob(@CurrentViewer() { projectId, jobId }: JobViewer): Promise<JobResponse> {
    return presentJob(await this.services.ask(ShowJob, { projectId, jobId }), this.config.externalUrl);
  }
}

function reportHeaders(jobStatus: string): Record<string, string> {
  return { 'Job-Status': jobStatus, 'X-GitLab-Trace-Update-Interval': String(updateInterval) };
}

/** What no process can end with is not stored. */
function exitCode(given: number | null | undefined): number | null {
  return given != null && Math.abs(given) < 2 ** 31 ? given : null;
}
