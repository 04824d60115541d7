import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { RequestAccess } from '../access/request-access.js';
import type { Viewer } from '../access/viewer.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { LiveStreams } from './live-streams.js';

/** Statuses as they change, for pages that are open. */
@AtRoot()
@Controller('-/projects/:id/live')
export class LiveController {
  constructor(
    private readonly streams: LiveStreams,
    private readonly access: RequestAccess,
  ) {}

  @Get()
  @Needs('read-pipelines')
  @Endpoint({
    summary: 'Watch the pipelines and jobs of a project',
    description:
      'Server-sent events: `pipeline` with `{"id", "status"}`, `job` with `{"id", "pipeline_id", "status"}`, and `reset` when something may have been ' +
      'missed and has to be read again. `Last-Event-ID` goes on from the event with that id. The stream ends when the right to watch does.',
    contentType: 'text/event-stream',
    errors: [429],
  })
  watch(
    @Project() { id: projectId }: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    // nginx would keep events back.
    void reply.headers({ 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' });
    if (request.method === 'HEAD') return void reply.send();
    const userId = viewer.kind === 'user' ? viewer.id : null;
    this.streams.admit(userId);
    reply.hijack();
    reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    const place = request.headers['last-event-id'];
    this.streams.open(
      {
        projectId,
        userId,
        sink: reply.raw,
        check: () => this.access.of(request, { need: 'read-pipelines' }),
      },
      typeof place === 'string' ? place : undefined,
    );
  }
}
