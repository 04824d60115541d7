import { Controller, Delete, Get, Post } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import { nothingHere, ShowJob } from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { JobResponse } from './job.response.js';
import { ThisJob } from './jobs.controller.js';

/** Artifacts of jobs (trigger-api.md §4.5). Runners are not asked to upload any, so no job has some. */
@Controller('projects/:id/jobs/:job_id/artifacts')
export class JobArtifactsController {
  constructor(private readonly services: Services) {}

  @Get()
  @Needs('read-jobs')
  @Endpoint({ summary: 'Download artifacts', contentType: 'application/zip', errors: [401, 403, 404] })
  async download(@Project() project: ProjectAddress, @Parameters(ThisJob) job: ThisJob): Promise<never> {
    await this.#find(project, job);
    throw nothingHere();
  }

  @Get('*')
  @Needs('read-jobs')
  @Endpoint({
    summary: 'Download one file of the artifacts',
    contentType: 'application/octet-stream',
    errors: [401, 403, 404],
  })
  @ApiParam({ name: 'path', type: 'string', description: 'Of the file in the archive' })
  downloadFile(@Project() project: ProjectAddress, @Parameters(ThisJob) job: ThisJob): Promise<never> {
    return this.download(project, job);
  }

  @Post('keep')
  @Needs('update-job')
  @Endpoint({ summary: 'Keep artifacts for ever', returns: JobResponse, errors: [401, 403, 404] })
  async keep(@Project() project: ProjectAddress, @Parameters(ThisJob) job: ThisJob): Promise<never> {
    await this.#find(project, job);
    throw nothingHere();
  }

  @Delete()
  @Needs('update-job')
  @Endpoint({ summary: 'Delete artifacts', success: 204, errors: [401, 403, 404] })
  async delete(@Project() project: ProjectAddress, @Parameters(ThisJob) job: ThisJob): Promise<void> {
    await this.#find(project, job);
  }

  async #find(project: ProjectAddress, { job_id: jobId }: ThisJob): Promise<void> {
    await this.services.ask(ShowJob, { projectId: project.id, jobId });
  }
}
