import { Controller, Delete, Get, Post } from '@nestjs/common';
import {
  CancelJob,
  EraseJob,
  type JobFacts,
  ListProjectJobs,
  nothingHere,
  PlayJob,
  type Request,
  type RequestClass,
  RetryJob,
  ShowJob,
  type Status,
  statuses,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { IntegerParameter, ListParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { JobResponse, presentJob } from './job.response.js';

class JobFilter {
  @ListParameter({ of: statuses, single: true, map: true }) scope?: Status[] | null;
  @StringParameter({ description: '`keyset`: pages by cursor' }) pagination?: string | null;
  @IntegerParameter({ description: 'From the `Link` of the page before' }) cursor?: number | null;
}

class ThisJob {
  @IntegerParameter({ required: true }) job_id!: number;
}

class JobVariable {
  @StringParameter({ required: true }) key!: string;
  @StringParameter({ required: true }) value!: string;
}

class PlayParameters extends ThisJob {
  @ListParameter({ of: JobVariable }) job_variables_attributes?: JobVariable[] | null;
}

/** trigger-api.md §4.5. */
@Controller('projects/:id/jobs')
export class JobsController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  /** Lists without totals, which would have to count a project's whole past. */
  @Get()
  @Needs('read-jobs')
  @Endpoint({ summary: 'List the jobs of a project', returns: [JobResponse], errors: [401, 403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @Parameters(JobFilter) filter: JobFilter,
    @RequestedPage() page: Page,
  ): Promise<JobResponse[]> {
    const keyset = filter.pagination === 'keyset';
    const { items, total } = await this.services.ask(ListProjectJobs, {
      projectId: project.id,
      scope: filter.scope?.length ? filter.scope : null,
      before: keyset ? filter.cursor : null,
      page: keyset ? 1 : page.page,
      perPage: page.perPage,
    });
    const jobs = items.map((facts) => presentJob(facts, this.config.externalUrl));
    const more = keyset ? total > items.length : total > page.offset + items.length;
    if (!keyset) return page.answer(jobs, { more });
    return page.answerKeyset(jobs, more ? String(items.at(-1)?.id ?? '') : undefined);
  }

  @Get(':job_id')
  @Needs('read-jobs')
  @Endpoint({ summary: 'Show a job', returns: JobResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<JobResponse> {
    return this.#present(await this.services.ask(ShowJob, { projectId: project.id, jobId }));
  }

  @Post(':job_id/cancel')
  @Needs('update-job')
  @Endpoint({ summary: 'Cancel a job', success: 201, returns: JobResponse, errors: [401, 403, 404] })
  cancel(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id }: ThisJob,
  ): Promise<JobResponse> {
    return this.#order(CancelJob, project, viewer, job_id);
  }

  @Post(':job_id/retry')
  @Needs('update-job')
  @Endpoint({ summary: 'Retry a job', success: 201, returns: JobResponse, errors: [401, 403, 404] })
  retry(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id }: ThisJob,
  ): Promise<JobResponse> {
    return this.#order(RetryJob, project, viewer, job_id);
  }

  @Post(':job_id/play')
  @Needs('update-job')
  @Endpoint({ summary: 'Start a manual or delayed job', returns: JobResponse, errors: [401, 403, 404] })
  async play(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(PlayParameters) { job_id: jobId, job_variables_attributes: given }: PlayParameters,
  ): Promise<JobResponse> {
    const variables = (given ?? []).map(({ key, value }) => ({ key, value }));
    const actor = actorOf(signedIn(viewer));
    return this.#present(await this.services.ask(PlayJob, { projectId: project.id, jobId, actor, variables }));
  }

  @Post(':job_id/erase')
  @Needs('erase-job')
  @Endpoint({ summary: 'Erase a job’s log', success: 201, returns: JobResponse, errors: [401, 403, 404] })
  erase(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisJob) { job_id }: ThisJob,
  ): Promise<JobResponse> {
    return this.#order(EraseJob, project, viewer, job_id);
  }

  /** No job has artifacts yet. */
  @Get([':job_id/artifacts', ':job_id/artifacts/*'])
  @Needs('read-jobs')
  @Endpoint({ summary: 'Download a job’s artifacts', contentType: 'application/zip', errors: [401, 403, 404] })
  async artifacts(@Project() project: ProjectAddress, @Parameters(ThisJob) { job_id: jobId }: ThisJob): Promise<never> {
    await this.services.ask(ShowJob, { projectId: project.id, jobId });
    throw nothingHere();
  }

  @Post(':job_id/artifacts/keep')
  @Needs('update-job')
  @Endpoint({ summary: 'Keep a job’s artifacts', returns: JobResponse, errors: [401, 403, 404] })
  async keepArtifacts(@Project() project: ProjectAddress, @Parameters(ThisJob) parameters: ThisJob): Promise<never> {
    return this.artifacts(project, parameters);
  }

  @Delete(':job_id/artifacts')
  @Needs('update-job')
  @Endpoint({ summary: 'Delete a job’s artifacts', success: 204, errors: [401, 403, 404] })
  async deleteArtifacts(
    @Project() project: ProjectAddress,
    @Parameters(ThisJob) { job_id: jobId }: ThisJob,
  ): Promise<void> {
    await this.services.ask(ShowJob, { projectId: project.id, jobId });
  }

  async #order(
    type: RequestClass<JobFacts> &
      (new () => Request<JobFacts> & { projectId: number; jobId: number; actor: ReturnType<typeof actorOf> }),
    project: ProjectAddress,
    viewer: Viewer,
    jobId: number,
  ): Promise<JobResponse> {
    return this.#present(
      await this.services.ask(type, { projectId: project.id, jobId, actor: actorOf(signedIn(viewer)) }),
    );
  }

  #present(facts: JobFacts): JobResponse {
    return presentJob(facts, this.config.externalUrl);
  }
}
