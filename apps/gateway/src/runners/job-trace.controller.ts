import { Controller, Get, Headers, Res } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ShowJob } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import type { Viewer } from '../access/viewer.js';
import { Endpoint, headersOf } from '../http/endpoint.decorator.js';
import { IntegerParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { readRange } from './byte-range.js';

class TraceParameters {
  @IntegerParameter({ required: true }) job_id!: number;
  @IntegerParameter({ minimum: 0, description: 'Bytes to leave out at the beginning: what one has read already' })
  offset?: number | null;
}

const named = { 'Content-Disposition': 'A name for the file', 'Accept-Ranges': '`bytes`' };
const asText = { 'text/plain': { schema: { type: 'string' } } } as const;

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
    description:
      'While the job runs, the log as far as it has come: `offset`, or a `Range` in bytes, gets what is new since. A log that is done comes packed with gzip where that is accepted.',
    contentType: 'text/plain',
    headers: named,
    errors: [401, 403, 404],
  })
  @ApiHeader({ name: 'Range', required: false, schema: { type: 'string' }, example: 'bytes=1024-' })
  @ApiResponse({
    status: 206,
    description: 'The part that `Range` asks for',
    content: asText,
    headers: headersOf({ ...named, 'Content-Range': 'Which part, and how long the whole log is' }),
  })
  @ApiResponse({
    status: 416,
    description: 'The log ends before this range',
    content: asText,
    headers: headersOf({ 'Content-Range': 'How long the log is' }),
  })
  async trace(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(TraceParameters) { job_id: jobId, offset }: TraceParameters,
    @Headers() headers: Record<string, string | undefined>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const job = await this.services.ask(ShowJob, { projectId: project.id, jobId });
    const refusal = job.debugTrace ? refusalFor('read-debug-traces', viewer, project) : undefined;
    if (refusal) throw refusal;
    void reply
      .type('text/plain')
      .header('Content-Disposition', `infile; filename="${jobId}.log"`)
      .header('Accept-Ranges', 'bytes');
    const erased = job.erasedAt !== null;
    if (!erased && headers['range'] === undefined && !offset && (await this.#sendPacked(jobId, headers, reply))) return;
    const size = erased ? 0 : await this.logs.size(jobId);
    const range = readRange(headers['range'], size);
    if (range === 'beyond') {
      await reply.status(416).header('Content-Range', `bytes */${size}`).send(Buffer.of());
      return;
    }
    if (range) void reply.status(206).header('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
    const { start, end } = range ?? { start: offset ?? 0, end: size - 1 };
    // As bytes, since Fastify adds a charset to texts.
    if (start > end) await reply.send(Buffer.of());
    else await reply.header('Content-Length', end - start + 1).send(this.logs.read(jobId, start, end));
  }

  /** @returns whether the log is packed, and the caller unpacks it */
  async #sendPacked(
    jobId: number,
    { 'accept-encoding': accepted = '' }: Record<string, string | undefined>,
    reply: FastifyReply,
  ): Promise<boolean> {
    void reply.header('Vary', 'Accept-Encoding');
    if (!/(?:^|,)\s*(?:x-)?gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))/i.test(accepted)) return false;
    const packed = await this.logs.readPacked(jobId);
    if (!packed) return false;
    await reply.header('Content-Encoding', 'gzip').header('Content-Length', packed.size).send(packed.content);
    return true;
  }
}
