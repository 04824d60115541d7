import { Controller, Get } from '@nestjs/common';
import { AccessLevel, ListRunnerJobs, ListRunnerManagers, type Status, statuses } from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { managed, memberOf } from './runner-access.js';
import { presentRunnerManager, RunnerManagerResponse } from './runner-manager.response.js';
import { presentRunnerJob, RunnerJobResponse } from './runner.response.js';

class ThisRunner {
  @IntegerParameter({ required: true }) id!: number;
}

class RunnerJobFilters extends ThisRunner {
  @ChoiceParameter(statuses) status?: Status | null;
  @StringParameter({ description: 'Of one machine of the runner' }) system_id?: string | null;
  @ChoiceParameter(['id']) order_by?: 'id' | null;
  @ChoiceParameter(['asc', 'desc']) sort?: 'asc' | 'desc' | null;
}

/** What hangs on a runner: its machines and its jobs. */
@Controller('runners/:id')
@Needs('user')
export class RunnerListsController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  /** The whole list at once, as in GitLab. */
  @Get('managers')
  @Endpoint({ summary: 'List the machines of a runner', returns: [RunnerManagerResponse], errors: [401, 403, 404] })
  async managers(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisRunner) { id }: ThisRunner,
  ): Promise<RunnerManagerResponse[]> {
    return (await this.services.ask(ListRunnerManagers, managed(viewer, id))).map(presentRunnerManager);
  }

  /** Of projects whose jobs the caller may read. */
  @Get('jobs')
  @Endpoint({
    summary: 'List the jobs that a runner has or had',
    returns: [RunnerJobResponse],
    errors: [401, 403, 404],
  })
  async jobs(
    @CurrentViewer() viewer: Viewer,
    @Parameters(RunnerJobFilters) filters: RunnerJobFilters,
    @RequestedPage() page: Page,
  ): Promise<RunnerJobResponse[]> {
    const user = signedIn(viewer);
    const { items, total } = await this.services.ask(ListRunnerJobs, {
      ...managed(viewer, filters.id),
      projectIds: user.admin ? null : memberOf(user, AccessLevel.Reporter),
      status: filters.status,
      systemId: filters.system_id || null,
      oldestFirst: filters.sort === 'asc',
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((job) => presentRunnerJob(job, this.config.externalUrl)),
      { total },
    );
  }
}
