import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiProperty, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { forbidden, unauthorized } from '#libs/contracts';
import { Metrics } from '#libs/process';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import type { Viewer } from '../access/viewer.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint, headersOf } from '../http/endpoint.decorator.js';
import { isOfThisMachine } from '../http/local-caller.js';
import { Readiness } from './readiness.js';

class LivenessResponse {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';
}

class ReadinessResponse {
  @ApiProperty({ enum: ['ok', 'failed'] })
  status!: 'ok' | 'failed';

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string', enum: ['ok', 'failed'] } })
  checks!: Record<string, 'ok' | 'failed'>;
}

/** architecture.md §4. */
@AtRoot()
@Controller('-')
@Needs('nothing')
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  @Get('liveness')
  @Endpoint({ summary: 'Whether the process answers at all', returns: LivenessResponse })
  liveness(): LivenessResponse {
    return { status: 'ok' };
  }

  @Get('readiness')
  @ApiResponse({
    status: 503,
    description: 'Something that is needed does not work',
    type: ReadinessResponse,
    headers: headersOf({ 'Retry-After': 'In whole seconds' }),
  })
  @Endpoint({ summary: 'Whether requests can be served, and which parts work', returns: ReadinessResponse })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadinessResponse> {
    const { ready, checks } = await this.readiness.report();
    if (!ready) void reply.code(503).header('Retry-After', '1');
    return { status: ready ? 'ok' : 'failed', checks };
  }

  /** Not for strangers; the health port tells it to whoever reaches that (docs/adr/0025-metrics.md). */
  @Get('metrics')
  @Needs('anyone')
  @Endpoint({
    summary: 'Metrics for Prometheus',
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    errors: [401, 403],
  })
  async tell(@CurrentViewer() viewer: Viewer, @Req() request: FastifyRequest): Promise<string> {
    const isAdministrator = viewer.kind === 'user' && viewer.admin;
    if (!isAdministrator && !isOfThisMachine(request.raw))
      throw viewer.kind === 'anonymous' ? unauthorized() : forbidden();
    return this.metrics.text();
  }
}
