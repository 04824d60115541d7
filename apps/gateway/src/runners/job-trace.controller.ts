import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ShowJob } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import type { Viewer } from '../access/viewer.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { IntegerParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';

class TraceParameters {
  @IntegerParameter({ required: true }) job_id!: number;
}

/** A job's log as its runner sent it, while it grows too (trigger-api.md §4.5). */
@Controller('projects/:id/jobs')
export class JobTraceController {
  constructor(
    private readonly services: Services,
    private readonly logs: JobLogs,
  ) {}

  @Get(':job_id/trace')
  @Needs('read-jobs')
  @Endpoint({
    summary: 'Read a job’s log',
    contentType: 'text/plain',
    headers: { 'Content-Disposition': 'A name for the file' },
    errors: [401, 403, 404],
  })
  async trace(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(TraceParameters) { job_id: jobId }: TraceParameters,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const job = await this.services.ask(ShowJob, { projectId: project.id, jobId });
    const refusal = job.debugTrace ? refusalFor('read-debug-traces', viewer, project) : undefined;
    if (refusal) throw refusal;
    const size = job.erasedAt !== null ? 0 : await this.logs.size(jobId);
    void reply.header('Content-Disposition', `infile; filename="${jobId}.log"`).type('text/plain');
    // As bytes, since Fastify adds a charset to texts.
    await reply.send(size === 0 ? Buffer.of() : this.logs.read(jobId, 0, size - 1));
  }
}
