import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ListPipelineJobs, ListProjectJobs, ShowJob, type Status, statuses } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import type { Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, IntegerParameter, ListParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { ThisPipeline } from '../pipelines/pipelines.controller.js';
import { Services } from '../services.js';
import { cursorAfter, jobIdOf } from './job-cursor.js';
import { JobResponse, presentJob } from './job.response.js';
import { JobsRateLimit } from './jobs-rate-limit.js';

class ProjectJobFilters {
  @ListParameter({ of: statuses, single: true, map: true }) scope?: Status[];
  @StringParameter({ description: '`keyset`: pages that go on where the one before ended', example: 'keyset' })
  pagination?: string | null;
  @StringParameter({ description: 'From the link of the page before' }) cursor?: string | null;
}

class PipelineJobFilters extends ThisPipeline {
  @ListParameter({ of: statuses, single: true }) scope?: Status[];
  @BooleanParameter({ description: 'Also those that were repeated' }) include_retried?: boolean | null;
}

export class ThisJob {
  @IntegerParameter({ required: true }) job_id!: number;
}

/** What can be read of jobs (trigger-api.md §4.5). */
@Controller('projects/:id')
export class JobsController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
    private readonly rateLimit: JobsRateLimit,
  ) {}

  @Get('jobs')
  @Needs('read-jobs')
  @Endpoint({ summary: 'List the jobs of a project', returns: [JobResponse], errors: [401, 403, 404], counted: true })
  async listOfProject(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ProjectJobFilters) { scope, pagination, cursor }: ProjectJobFilters,
    @RequestedPage() page: Page,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobResponse[]> {
    await this.rateLimit.check(viewer, reply);
    const keyset = pagination === 'keyset';
    const { items, more } = await this.services.ask(ListProjectJobs, {
      projectId: project.id,
      scope: someOf(scope),
      before: keyset && cursor ? jobIdOf(cursor) : null,
      page: keyset ? 1 : page.page,
      perPage: page.perPage,
    });
    const jobs = items.map((job) => presentJob(job, this.config.externalUrl));
    const last = jobs.at(-1);
    return keyset
      ? page.answerKeyset(jobs, more && last ? cursorAfter(last.id) : undefined)
      : page.answer(jobs, { more });
  }

  @Get('pipelines/:pipeline_id/jobs')
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'List the jobs of a pipeline', returns: [JobResponse], errors: [403, 404] })
  async listOfPipeline(
    @Project() project: ProjectAddress,
    @Parameters(PipelineJobFilters) { pipeline_id: pipelineId, scope, include_retried }: PipelineJobFilters,
    @RequestedPage() page: Page,
  ): Promise<JobResponse[]> {
    const { items, total } = await this.services.ask(ListPipelineJobs, {
      projectId: project.id,
      pipelineId,
      scope: someOf(scope),
      includeRetried: include_retried ?? false,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((job) => presentJob(job, this.config.externalUrl)),
      { total },
    );
  }

  @Get('jobs/:job_id')
  @Needs('read-jobs')
  @Endpoint({ summary: 'Show a job', returns: JobResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    return presentJob(await this.services.ask(ShowJob, { projectId: project.id, jobId }), this.config.externalUrl);
  }
}

/** An empty list of statuses does not narrow. */
function someOf(scope: Status[] | undefined): Status[] | null {
  return scope && scope.length > 0 ? scope : null;
}
