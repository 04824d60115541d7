import { Controller, Post, Req, Res } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { forbidden, orphanedRunner, RequestJob, ReturnJob } from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { GatewayConfig } from '../config.js';
import { Endpoint, headersOf } from '../http/endpoint.decorator.js';
import { MapParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { type Attempt, HeldRequests } from './held-requests.js';
import { JobPayloadResponse } from './job-payload.response.js';
import { RunningJobs } from './running-jobs.js';

/** Under which a machine is known that does not tell its own id (runner-api.md §1.8). */
const namelessMachine = '<legacy>';

class JobRequestParameters {
  @StringParameter({ required: true, blank: false, description: 'Of the runner' }) token!: string;
  @StringParameter() system_id?: string | null;
  @MapParameter({ description: 'What the runner tells of itself' }) info?: Record<string, unknown> | null;
  @StringParameter({ description: 'X-GitLab-Last-Update of the answer before' }) last_update?: string | null;
}

/** What became of a request, where it was not nothing. */
type Found =
  { outcome: 'unknown runner' | 'paused' | 'orphaned' } | { outcome: 'assigned'; jobId: number; payload: object };

/** Runners ask for jobs (runner-api.md §2): every status, header and type counts, since a runner drops what it does not expect. */
@Controller('jobs/request')
export class JobRequestsController {
  constructor(
    private readonly services: Services,
    private readonly held: HeldRequests,
    private readonly jobs: RunningJobs,
    private readonly config: GatewayConfig,
  ) {}

  @Post()
  @Needs('nothing')
  @Endpoint({
    summary: 'Ask for a job; held while there is none',
    success: 201,
    returns: JobPayloadResponse,
    errors: [403, 422],
    tokenRefusals: [403],
  })
  @ApiResponse({
    status: 204,
    description: 'There is no job',
    headers: headersOf({ 'X-GitLab-Last-Update': 'To be repeated as last_update' }),
  })
  async request(
    @Parameters(JobRequestParameters) parameters: JobRequestParameters,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const jobToken = newSecret('glcbt');
    // No other process sees the token: the payload comes with this in its place, which is good for nothing.
    const standIn = newSecret('glcbt');
    const ask = {
      tokenHash: hashOf(parameters.token),
      systemId: parameters.system_id || namelessMachine,
      info: runnerInfo(parameters.info ?? {}),
      ipAddress: request.ip,
      jobToken: standIn,
      jobTokenHash: hashOf(jobToken),
    };
    const attempt = async (): Promise<Attempt<Found>> => {
      const result = await this.services.ask(RequestJob, ask);
      return result.outcome === 'none' ? { reach: result.reach } : { found: result };
    };
    const found = await this.held.hold(attempt, this.config.requestHoldMs, gone.signal);
    if (found?.outcome === 'unknown runner') throw forbidden();
    if (found?.outcome === 'orphaned') throw orphanedRunner();
    if (found?.outcome === 'assigned') {
      if (gone.signal.aborted) {
        await this.services.ask(ReturnJob, { jobId: found.jobId, tokenHash: ask.jobTokenHash });
        return;
      }
      this.jobs.expect(ask.jobTokenHash);
      await reply
        .status(201)
        .type('application/json')
        .send(JSON.stringify(found.payload).replaceAll(standIn, jobToken));
      return;
    }
    // Opaque to runners. Nothing here depends on it, but a proxy in front that holds requests itself would (runner-api.md §2.3).
    void reply.header('X-GitLab-Last-Update', newUpdateMark());
    await reply.status(204).send();
  }
}

function newUpdateMark(): string {
  return Date.now().toString(16).padStart(32, '0');
}

function hashOf(token: string): string {
  return hashSecret(token).toString('hex');
}

/** All of it may be absent, and of any kind (runner-api.md §2.1). */
function runnerInfo(info: Record<string, unknown>) {
  const text = (name: string): string | undefined =>
    typeof info[name] === 'string' ? info[name].slice(0, longestText) : undefined;
  const features = info['features'] as Record<string, unknown> | null | undefined;
  return {
    name: text('name'),
    version: text('version'),
    revision: text('revision'),
    platform: text('platform'),
    architecture: text('architecture'),
    executor: text('executor'),
    cancelsGracefully: features?.['cancel_gracefully'] === true,
  };
}

const longestText = 255;
