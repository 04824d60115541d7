import { Controller, Get } from '@nestjs/common';
import { ListShownJobs, type Status, statuses } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import type { Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, ListParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { ListedJobResponse, presentListedJob } from './listed-job.response.js';
import { orderingActor } from './ordering-actor.js';

class ListedJobFilters {
  @ListParameter({ of: statuses, single: true }) scope?: Status[];
  @BooleanParameter({ description: 'Whether a trigger started their pipelines' }) trigger?: boolean | null;
}

/** Jobs as the pages list them. */
@AtRoot()
@Controller('-/projects/:id/jobs')
export class JobPagesController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('read-jobs')
  @Endpoint({ summary: 'List jobs with their pipelines', returns: [ListedJobResponse], errors: [401, 403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ListedJobFilters) { scope, trigger }: ListedJobFilters,
    @RequestedPage() page: Page,
  ): Promise<ListedJobResponse[]> {
    const { items, more } = await this.services.ask(ListShownJobs, {
      projectId: project.id,
      scope: scope && scope.length > 0 ? scope : null,
      triggered: trigger,
      actor: orderingActor(viewer, project),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((job) => presentListedJob(job, this.config.externalUrl)),
      { more },
    );
  }
}
