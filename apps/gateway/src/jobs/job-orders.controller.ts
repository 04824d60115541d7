import { Controller, Post } from '@nestjs/common';
import {
  type Actor,
  CancelJob,
  EraseJob,
  type JobFacts,
  PlayJob,
  type Request,
  type RequestClass,
  RetryJob,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ListParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { JobResponse, presentJob } from './job.response.js';
import { ThisJob } from './jobs.controller.js';

class JobVariable {
  @StringParameter({ required: true, pattern: /^\w{1,255}$/ }) key!: string;
  @StringParameter({ required: true }) value!: string;
}

class PlayedJob extends ThisJob {
  @ListParameter({ of: JobVariable, description: 'Further variables for this job' })
  job_variables_attributes?: JobVariable[];
}

/** What can be done with jobs (trigger-api.md §4.5). Only `play` answers 200. */
@Controller('projects/:id/jobs/:job_id')
export class JobOrdersController {
  constructor(
    private readonly services: Services,
    private readonly logs: JobLogs,
    private readonly config: GatewayConfig,
  ) {}

  @Post('cancel')
  @Needs('update-job')
  @Endpoint({ summary: 'Cancel a job', success: 201, returns: JobResponse, errors: [401, 403, 404] })
  cancel(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    return this.#order(CancelJob, { projectId: project.id, jobId, actor: actorOf(signedIn(viewer)) });
  }

  @Post('retry')
  @Needs('update-job')
  @Endpoint({
    summary: 'Run a job again',
    description: 'Answers with the new job that runs instead.',
    success: 201,
    returns: JobResponse,
    errors: [401, 403, 404],
  })
  retry(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    return this.#order(RetryJob, { projectId: project.id, jobId, actor: actorOf(signedIn(viewer)) });
  }

  @Post('play')
  @Needs('update-job')
  @Endpoint({ summary: 'Start a manual or delayed job', returns: JobResponse, errors: [401, 403, 404] })
  async play(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(PlayedJob) { job_id: jobId, job_variables_attributes: variables = [] }: PlayedJob,
  ): Promise<JobResponse> {
    const played = await this.services.ask(PlayJob, {
      projectId: project.id,
      jobId,
      actor: actorOf(signedIn(viewer)),
      variables: variables.map(({ key, value }) => ({ key, value })),
    });
    return presentJob(played, this.config.externalUrl);
  }

  @Post('erase')
  @Needs('erase-job')
  @Endpoint({ summary: 'Erase the log of a job', success: 201, returns: JobResponse, errors: [401, 403, 404] })
  async erase(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    const erased = await this.#order(EraseJob, { projectId: project.id, jobId, actor: actorOf(signedIn(viewer)) });
    await this.logs.delete(jobId);
    return erased;
  }

  async #order(type: RequestClass<JobFacts> & (new () => JobOrder), order: OrderFields): Promise<JobResponse> {
    return presentJob(await this.services.ask<JobOrder>(type, order), this.config.externalUrl);
  }
}

interface OrderFields {
  projectId: number;
  jobId: number;
  actor: Actor;
}

type JobOrder = Request<JobFacts> & OrderFields;
