import type { Readable } from 'node:stream';
import { Controller, Get, Headers, Post, Req, Res } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  artifactFormats,
  type ArtifactFormat,
  artifactTypes,
  type ArtifactType,
  FindArchive,
  forbidden,
  unauthorized,
} from '#libs/contracts';
import { isLive, type JobCredential, JobTokens } from '../access/job-tokens.js';
import { Needs } from '../access/needs.decorator.js';
import { Endpoint, headersOf } from '../http/endpoint.decorator.js';
import { BooleanParameter, ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { RequestBody } from '../http/request-body.decorator.js';
import { Services } from '../services.js';
import { Artifacts } from './artifacts.js';

class ThisJob {
  @IntegerParameter({ required: true, minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) job_id!: number;
  @StringParameter({ description: 'Of the job; JOB-TOKEN does as well' }) token?: string | null;
}

class UploadParameters extends ThisJob {
  @ChoiceParameter(artifactTypes) artifact_type?: ArtifactType | null;
  @ChoiceParameter(artifactFormats) artifact_format?: ArtifactFormat | null;
  @StringParameter({ description: 'When it goes: `1 week`, `never`' }) expire_in?: string | null;
}

class DownloadParameters extends ThisJob {
  @BooleanParameter({ description: 'Whether a redirect to where it lies is welcome' }) direct_download?: boolean | null;
}

/** Runners upload what their jobs leave, and fetch what earlier ones left (runner-api.md §5). */
@Controller('jobs/:job_id/artifacts')
@Needs('nothing')
export class RunnerArtifactsController {
  constructor(
    private readonly tokens: JobTokens,
    private readonly artifacts: Artifacts,
    private readonly services: Services,
  ) {}

  @Post()
  @RequestBody({ as: 'stream' })
  @Endpoint({
    summary: 'Upload an artifact of a running job',
    description: 'A multipart form with one part, `file`; everything else is in the query.',
    success: 201,
    returns: Number,
    errors: [403, 413],
    tokenRefusals: [403],
  })
  async upload(
    @Parameters(UploadParameters) parameters: UploadParameters,
    @Headers() headers: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
  ): Promise<number> {
    const token = parameters.token || headers['job-token'] || '';
    const job = await this.#find(token);
    if (!job || Number(job.job_id) !== parameters.job_id || !isLive(job, new Date())) throw forbidden();
    await this.artifacts.receive(
      {
        jobId: parameters.job_id,
        token,
        type: parameters.artifact_type ?? 'archive',
        format: parameters.artifact_format ?? 'zip',
        expireIn: parameters.expire_in,
        contentType: headers['content-type'] ?? '',
      },
      request.body as Readable,
    );
    return 201;
  }

  @Get()
  @Endpoint({
    summary: 'Download the archive of an earlier job',
    contentType: 'application/octet-stream',
    errors: [401, 404],
    tokenRefusals: [401],
  })
  @ApiResponse({
    status: 302,
    description: 'It is in a bucket, and a redirect to it is welcome',
    headers: headersOf({ Location: 'Where it can be had for some minutes' }),
  })
  async download(
    @Parameters(DownloadParameters) { job_id: jobId, token, direct_download: direct }: DownloadParameters,
    @Headers('job-token') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const reader = await this.#find(token || header || '');
    if (!reader || !isLive(reader, new Date())) throw unauthorized();
    const found = await this.services.ask(FindArchive, { projectId: Number(reader.project_id), jobId });
    await (direct ? this.artifacts.redirect(found, reply) : this.artifacts.send(found, reply));
  }

  async #find(token: string): Promise<JobCredential | undefined> {
    return token === '' ? undefined : this.tokens.find(token);
  }
}
