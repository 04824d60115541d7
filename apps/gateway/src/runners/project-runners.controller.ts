import { Controller, Delete, Get, Post } from '@nestjs/common';
import { AssignRunner, ListRunners, ResetRegistrationToken, UnassignRunner } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { IntegerParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { managed } from './runner-access.js';
import { RunnerFilters, runnerFilters } from './runner-filters.js';
import { NewTokenResponse, presentRunner, RunnerResponse } from './runner.response.js';

class NamedRunner {
  @IntegerParameter({ required: true }) runner_id!: number;
}

/** The runners of a project. */
@Controller('projects/:id/runners')
@Needs('manage-runners')
export class ProjectRunnersController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Endpoint({
    summary: 'List the runners that take a project’s jobs',
    returns: [RunnerResponse],
    errors: [401, 403, 404],
  })
  async list(
    @CurrentViewer() viewer: Viewer,
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(RunnerFilters) filters: RunnerFilters,
    @RequestedPage() page: Page,
  ): Promise<RunnerResponse[]> {
    const { items, total } = await this.services.ask(ListRunners, {
      actor: actorOf(signedIn(viewer)),
      projectId,
      ...runnerFilters(filters),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((runner) => presentRunner(runner, this.config.externalUrl)),
      { total },
    );
  }

  @Post()
  @Endpoint({
    summary: 'Let a project runner of other projects take this project’s jobs too',
    success: 201,
    returns: RunnerResponse,
    errors: [401, 403, 404],
  })
  async assign(
    @CurrentViewer() viewer: Viewer,
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(NamedRunner) { runner_id: runnerId }: NamedRunner,
  ): Promise<RunnerResponse> {
    const runner = await this.services.ask(AssignRunner, { ...managed(viewer, runnerId), projectId });
    return presentRunner(runner, this.config.externalUrl);
  }

  @Delete(':runner_id')
  @Endpoint({ summary: 'Take a project runner from this project', success: 204, errors: [401, 403, 404] })
  async unassign(
    @Project() { id: projectId }: ProjectAddress,
    @Parameters(NamedRunner) { runner_id: runnerId }: NamedRunner,
  ): Promise<void> {
    await this.services.ask(UnassignRunner, { runnerId, projectId });
  }

  @Post('reset_registration_token')
  @Endpoint({
    summary: 'Give out another token with which runners of this project register themselves',
    success: 201,
    returns: NewTokenResponse,
    errors: [401, 403, 404],
  })
  async resetRegistrationToken(@Project() { id: projectId }: ProjectAddress): Promise<NewTokenResponse> {
    const token = newSecret('GR1348941');
    await this.services.ask(ResetRegistrationToken, { projectId, tokenHash: hashSecret(token).toString('hex') });
    return { token, token_expires_at: null };
  }
}
