import { Controller, Delete, Get, Post, Req, Res } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  DeleteArtifacts,
  FindArchive,
  FindLatestArchive,
  KeepArtifacts,
  ShowJob,
  type StoredArtifact,
} from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { JobResponse, presentJob } from '../jobs/job.response.js';
import { ThisJob } from '../jobs/jobs.controller.js';
import { Services } from '../services.js';
import { Artifacts } from './artifacts.js';

class NamedJob {
  @StringParameter({ required: true, blank: false, description: 'Branch or tag' }) ref_name!: string;
  @StringParameter({ required: true, blank: false, description: 'Name of the job' }) job!: string;
}

const archive = {
  contentType: 'application/octet-stream',
  headers: { 'Content-Disposition': 'A name for the file' },
  errors: [401, 403, 404],
};
const inArchive = ApiParam({ name: 'path', type: 'string', description: 'Of the file in the archive' });

/** Artifacts for people and for other jobs (trigger-api.md §4.5). */
@Controller('projects/:id')
export class JobArtifactsController {
  constructor(
    private readonly services: Services,
    private readonly artifacts: Artifacts,
    private readonly config: GatewayConfig,
  ) {}

  @Get('jobs/:job_id/artifacts')
  @Needs('read-jobs', { jobToken: true })
  @Endpoint({ summary: 'Download artifacts', ...archive })
  async download(
    @Project() project: ProjectAddress,
    @Parameters(ThisJob) job: ThisJob,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.artifacts.send(await this.#find(project, job), reply);
  }

  @Get('jobs/:job_id/artifacts/*')
  @Needs('read-jobs', { jobToken: true })
  @Endpoint({ summary: 'Download one file of the artifacts', ...archive })
  @inArchive
  async downloadFile(
    @Project() project: ProjectAddress,
    @Parameters(ThisJob) job: ThisJob,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.artifacts.sendFile(await this.#find(project, job), restOf(request), reply);
  }

  @Get('jobs/artifacts/:ref_name/download')
  @Needs('read-jobs', { jobToken: true })
  @Endpoint({ summary: 'Download the artifacts of a job in the latest successful pipeline of a ref', ...archive })
  async downloadLatest(
    @Project() project: ProjectAddress,
    @Parameters(NamedJob) job: NamedJob,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.artifacts.send(await this.#findLatest(project, job), reply);
  }

  @Get('jobs/artifacts/:ref_name/raw/*')
  @Needs('read-jobs', { jobToken: true })
  @Endpoint({
    summary: 'Download one file of the artifacts of a job in the latest successful pipeline of a ref',
    ...archive,
  })
  @inArchive
  async downloadLatestFile(
    @Project() project: ProjectAddress,
    @Parameters(NamedJob) job: NamedJob,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.artifacts.sendFile(await this.#findLatest(project, job), restOf(request), reply);
  }

  @Post('jobs/:job_id/artifacts/keep')
  @Needs('update-job')
  @Endpoint({ summary: 'Keep artifacts for ever', returns: JobResponse, errors: [401, 403, 404] })
  async keep(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    await this.services.ask(ShowJob, { projectId, jobId });
    await this.services.ask(KeepArtifacts, { projectId, jobId });
    return presentJob(await this.services.ask(ShowJob, { projectId, jobId }), this.config.externalUrl);
  }

  @Delete('jobs/:job_id/artifacts')
  @Needs('update-job')
  @Endpoint({ summary: 'Delete artifacts', success: 204, errors: [401, 403, 404] })
  async delete(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<void> {
    await this.services.ask(ShowJob, { projectId, jobId });
    await this.services.ask(DeleteArtifacts, { projectId, jobId });
  }

  @Delete('artifacts')
  @Needs('edit-project')
  @Endpoint({
    summary: 'Delete the artifacts of all jobs of a project that have ended',
    success: 202,
    errors: [401, 403, 404],
  })
  async deleteAll(@Project() { id: projectId }: ProjectAddress): Promise<void> {
    await this.services.ask(DeleteArtifacts, { projectId, jobId: null });
  }

  /** @throws Refusal 404 when the project has no such job */
  async #find({ id: projectId }: ProjectAddress, { job_id: jobId }: ThisJob): Promise<StoredArtifact | null> {
    const found = await this.services.ask(FindArchive, { projectId, jobId });
    if (!found) await this.services.ask(ShowJob, { projectId, jobId });
    return found;
  }

  #findLatest({ id: projectId }: ProjectAddress, { ref_name, job }: NamedJob): Promise<StoredArtifact | null> {
    return this.services.ask(FindLatestArchive, { projectId, ref: ref_name, jobName: job });
  }
}

/** What stands for the `*` of the route. */
function restOf(request: FastifyRequest): string {
  return (request.params as Record<string, string>)['*'] ?? '';
}
