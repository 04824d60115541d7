import {
  Controller,
  Headers,
  HttpStatus,
  Post,
  Req,
  Res,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  Injectable,
} from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbidden, invalid, type PipelineFacts, Refusal, refusedRequest } from '#libs/contracts';
import { DatabaseClock, uuidv7 } from '#libs/persistence';
import { Needs } from '../access/needs.decorator.js';
import { GatewayConfig } from '../config.js';
import { Endpoint, headersOf, rateHeadersOfAnswers } from '../http/endpoint.decorator.js';
import { MapParameter, StringMapParameter, StringParameter } from '../http/parameter.decorators.js';
import { AllParameters, Parameters } from '../http/parameters.decorator.js';
import { RequestBody, webhookBodyLimit } from '../http/request-body.decorator.js';
import { requestParameters, type SentParameters } from '../http/request-parameters.js';
import { PipelineResponse, presentPipeline } from '../pipelines/pipeline.response.js';
import { TriggerRateLimits } from '../rate-limits/trigger-rate-limits.js';
import { idempotencyKey, sentKey } from './idempotency-key.js';
import { keptHeaders } from './kept-headers.js';
import type { TriggerRequest } from './ledger.js';
import { type Caller, TriggerCallers } from './trigger-callers.js';
import { AcceptedResponse, presentAccepted } from './trigger-request.response.js';
import { triggerPayload } from './trigger-payload.js';
import { type TriggerAnswer, TriggerRequests } from './trigger-requests.js';
import { isPipelineHook, isWebhook, nothingToStart } from './webhook.js';

class TriggerParameters {
  @StringParameter({ required: true, description: 'Number of the project, or its full path, percent-encoded' })
  id!: string;
  @StringParameter({ required: true, blank: false, description: 'Branch or tag' }) ref!: string;
  @StringParameter({ required: true, description: 'A trigger token, or the CI_JOB_TOKEN of a running job' })
  token!: string;
  @StringMapParameter({ description: 'Variables for the jobs' }) variables?: Record<string, unknown>;
  @MapParameter({ description: 'Inputs of the configuration' }) inputs?: Record<string, unknown>;
}

/** Whoever calls too often is told so before anything is looked at. */
@Injectable()
export class WithinAddressLimit implements CanActivate {
  constructor(private readonly limits: TriggerRateLimits) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    await this.limits.checkAddress(http.getRequest<FastifyRequest>().ip, http.getResponse<FastifyReply>());
    return true;
  }
}

/** Pings and deletions say so before anyone asks for a ref that they do not carry. */
@Injectable()
export class SomethingToStart implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reason = nothingToStart(request.headers, requestParameters(request), refInUrl(request));
    if (reason) throw badRequest(reason);
    return true;
  }
}

/** The trigger endpoint, the one that all this is for (trigger-api.md §1). */
@Controller('projects/:id')
@UseGuards(WithinAddressLimit, SomethingToStart)
export class TriggerPipelineController {
  constructor(
    private readonly callers: TriggerCallers,
    private readonly requests: TriggerRequests,
    private readonly limits: TriggerRateLimits,
    private readonly config: GatewayConfig,
    private readonly clock: DatabaseClock,
  ) {}

  /** Both URLs have one handler; in the second one, made for webhooks, the URL's ref beats the body's. */
  @Post(['trigger/pipeline', 'ref/:ref/trigger/pipeline'])
  @Needs('nothing')
  @RequestBody({ limit: webhookBodyLimit })
  @Endpoint({
    summary: 'Start a pipeline with a trigger token',
    success: 201,
    returns: PipelineResponse,
    errors: [401, 403, 404, 422],
    tokenRefusals: [401, 404],
    counted: true,
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'The same key with the same request starts no second pipeline for 24 hours, and as long as it has no outcome, and gets the same answer; `webhook-id` does as well',
  })
  @ApiHeader({ name: 'Prefer', required: false, description: '`respond-async`: do not wait for the pipeline' })
  @ApiResponse({
    status: 202,
    description: 'Recorded; the outcome is told at the status URL',
    type: AcceptedResponse,
    headers: { ...headersOf({ Location: 'The status URL' }), ...rateHeadersOfAnswers },
  })
  async trigger(
    @Parameters(TriggerParameters) parameters: TriggerParameters,
    @AllParameters() sent: SentParameters,
    @Headers() headers: IncomingHttpHeaders,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PipelineResponse | AcceptedResponse> {
    if (isPipelineHook(headers)) throw forbidden();
    const variables = Object.entries(parameters.variables ?? {});
    if (!variables.every((pair): pair is [string, string] => typeof pair[1] === 'string'))
      throw refusedRequest('variables needs to be a map of key-valued strings');

    const key = sentKey(headers);
    const now = this.clock.now();
    const caller = await this.callers.find(parameters.id, parameters.token, now);
    await this.limits.checkCaller(tokenOf(caller), caller.projectId, reply);
    if (parameters.ref.length > longestRef) throw invalid({ base: ['Reference not found'] });
    const accepted: TriggerRequest = {
      ...caller,
      requestId: uuidv7(now.getTime()),
      ref: parameters.ref,
      channel: refInUrl(request) || isWebhook(headers) ? 'webhook' : 'api',
      variables,
      payload: triggerPayload(sent),
      inputs: parameters.inputs,
      receivedAt: now.toISOString(),
      headers: keptHeaders(headers),
    };
    const answer = await this.requests.accept(
      accepted,
      /\brespond-async\b/i.test(String(headers['prefer'] ?? '')),
      key === undefined ? undefined : idempotencyKey(key, accepted, parameters.token),
    );
    if (answer.replayed) void reply.header('Idempotency-Replayed', 'true');
    return this.#present(answer, reply);
  }

  #present(answer: TriggerAnswer, reply: FastifyReply): PipelineResponse | AcceptedResponse {
    if ('statusToken' in answer) {
      const accepted = presentAccepted(answer.requestId, answer.statusToken, this.config.externalUrl);
      reply.status(HttpStatus.ACCEPTED).header('Location', accepted.status_url);
      return accepted;
    }
    const { refusal, pipeline } = answer.outcome;
    if (refusal) throw new Refusal(refusal.status, refusal.body);
    return presentPipeline(pipeline as PipelineFacts, this.config.externalUrl);
  }
}

/** git keeps no longer ones in files. Nothing is recorded for them: lists of requests show the ref of each. */
const longestRef = 4_096;

/** Whose calls count together. */
function tokenOf({ trigger, upstream }: Caller): string {
  return trigger ? `trigger ${trigger.id}` : `job ${upstream?.jobId}`;
}

function refInUrl(request: FastifyRequest): boolean {
  const { params } = request as { params: Record<string, unknown> };
  return params['ref'] !== undefined;
}
