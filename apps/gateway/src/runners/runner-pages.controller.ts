import { Controller, Get } from '@nestjs/common';
import { ListRunners } from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { Services } from '../services.js';
import { presentRunnerDetails, RunnerDetailsResponse } from './runner.response.js';

/** Runners as the administrators' page shows them, where the API would take a call for each. */
@AtRoot()
@Controller('-/runners')
export class RunnerPagesController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('administrator')
  @Endpoint({
    summary: 'List all runners with their tags and last contacts',
    returns: [RunnerDetailsResponse],
    errors: [401, 403],
  })
  async list(@CurrentViewer() viewer: Viewer, @RequestedPage() page: Page): Promise<RunnerDetailsResponse[]> {
    const { items, total } = await this.services.ask(ListRunners, {
      actor: actorOf(signedIn(viewer)),
      projectIds: null,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((runner) => presentRunnerDetails(runner, this.config.externalUrl)),
      { total },
    );
  }
}
