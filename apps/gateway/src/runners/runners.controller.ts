import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import {
  CreateRunner,
  DeleteRunner,
  EditRunner,
  forbidden,
  invalid,
  invalidParameters,
  ListRunners,
  ResetRegistrationToken,
  ResetRunnerToken,
  type RunnerAccessLevel,
  runnerAccessLevels,
  type RunnerType,
  runnerTypes,
  ShowRunner,
} from '#libs/contracts';
import { CurrentViewer, Needs } from '../access/needs.decorator.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { actorOf, signedIn, type UserViewer, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import {
  BooleanParameter,
  ChoiceParameter,
  IntegerParameter,
  ListParameter,
  StringParameter,
} from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { maintained, managed, nothingToTake } from './runner-access.js';
import { RunnerFilters, runnerFilters } from './runner-filters.js';
import {
  NewTokenResponse,
  presentRunner,
  presentRunnerDetails,
  RunnerDetailsResponse,
  RunnerResponse,
  RunnerTokenResponse,
} from './runner.response.js';

class RunnerSettings {
  @StringParameter() description?: string | null;
  @StringParameter() maintenance_note?: string | null;
  @BooleanParameter() paused?: boolean | null;
  @BooleanParameter({ description: 'Former opposite of `paused`' }) active?: boolean | null;
  @BooleanParameter() locked?: boolean | null;
  @BooleanParameter() run_untagged?: boolean | null;
  @ListParameter({ of: 'string', commas: true }) tag_list?: string[] | null;
  @ChoiceParameter(runnerAccessLevels) access_level?: RunnerAccessLevel | null;
  @IntegerParameter({ minimum: 600, description: 'Seconds' }) maximum_timeout?: number | null;
}

class NewRunner extends RunnerSettings {
  @ChoiceParameter(runnerTypes, { required: true }) runner_type!: RunnerType;
  @IntegerParameter({ description: 'Of a project runner' }) project_id?: number | null;
}

class RunnerChange extends RunnerSettings {
  @IntegerParameter({ required: true }) id!: number;
}

class ThisRunner {
  @IntegerParameter({ required: true }) id!: number;
}

/** Runners, for people (runner-api.md §1.2, §1.6–1.7). */
@Controller()
export class RunnersController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Post('user/runners')
  @Needs('user', { scopes: ['create_runner'] })
  @Endpoint({
    summary: 'Create a runner; its token is shown this once',
    success: 201,
    returns: RunnerTokenResponse,
    errors: [401, 403],
  })
  async create(
    @CurrentViewer() viewer: Viewer,
    @Parameters(NewRunner) parameters: NewRunner,
  ): Promise<RunnerTokenResponse> {
    const user = signedIn(viewer);
    const projectId = parameters.runner_type === 'project_type' ? parameters.project_id : null;
    if (parameters.runner_type === 'project_type' && !projectId) throw invalidParameters('project_id is missing');
    if (!user.admin && !(projectId && maintained(user).includes(projectId))) throw forbidden();
    const tagList = parameters.tag_list ?? [];
    const runUntagged = parameters.run_untagged ?? true;
    if (!runUntagged && tagList.length === 0) throw invalid(nothingToTake);
    const token = newSecret('glrt');
    const { id } = await this.services.ask(CreateRunner, {
      runnerType: parameters.runner_type,
      projectId,
      description: parameters.description ?? '',
      paused: isPaused(parameters) ?? false,
      locked: parameters.locked ?? false,
      runUntagged,
      tagList,
      accessLevel: parameters.access_level ?? 'not_protected',
      maximumTimeout: parameters.maximum_timeout,
      maintenanceNote: parameters.maintenance_note,
      creatorId: user.id,
      tokenHash: hashSecret(token).toString('hex'),
    });
    return { id, token, token_expires_at: null };
  }

  @Get('runners')
  @Needs('user')
  @Endpoint({ summary: 'List the runners one may manage', returns: [RunnerResponse], errors: [401] })
  list(
    @CurrentViewer() viewer: Viewer,
    @Parameters(RunnerFilters) filters: RunnerFilters,
    @RequestedPage() page: Page,
  ): Promise<RunnerResponse[]> {
    return this.#list(signedIn(viewer), page, filters, maintained(signedIn(viewer)));
  }

  @Get('runners/all')
  @Needs('administrator')
  @Endpoint({ summary: 'List all runners', returns: [RunnerResponse], errors: [401, 403] })
  listAll(
    @CurrentViewer() viewer: Viewer,
    @Parameters(RunnerFilters) filters: RunnerFilters,
    @RequestedPage() page: Page,
  ): Promise<RunnerResponse[]> {
    return this.#list(signedIn(viewer), page, filters, null);
  }

  @Get('runners/:id')
  @Needs('user')
  @Endpoint({ summary: 'Show a runner', returns: RunnerDetailsResponse, errors: [401, 403, 404] })
  async show(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisRunner) { id }: ThisRunner,
  ): Promise<RunnerDetailsResponse> {
    return presentRunnerDetails(await this.services.ask(ShowRunner, managed(viewer, id)), this.config.externalUrl);
  }

  @Put('runners/:id')
  @Needs('user')
  @Endpoint({ summary: 'Change a runner', returns: RunnerDetailsResponse, errors: [401, 403, 404] })
  async edit(
    @CurrentViewer() viewer: Viewer,
    @Parameters(RunnerChange) change: RunnerChange,
  ): Promise<RunnerDetailsResponse> {
    const facts = await this.services.ask(EditRunner, {
      ...managed(viewer, change.id),
      description: change.description ?? undefined,
      paused: isPaused(change),
      locked: change.locked ?? undefined,
      runUntagged: change.run_untagged ?? undefined,
      tagList: change.tag_list ?? undefined,
      accessLevel: change.access_level ?? undefined,
      maximumTimeout: change.maximum_timeout,
      maintenanceNote: change.maintenance_note,
    });
    return presentRunnerDetails(facts, this.config.externalUrl);
  }

  @Delete('runners/:id')
  @Needs('user')
  @Endpoint({ summary: 'Remove a runner', success: 204, errors: [401, 403, 404] })
  async delete(@CurrentViewer() viewer: Viewer, @Parameters(ThisRunner) { id }: ThisRunner): Promise<void> {
    await this.services.ask(DeleteRunner, managed(viewer, id));
  }

  @Post('runners/:id/reset_authentication_token')
  @Needs('user')
  @Endpoint({
    summary: 'Give a runner another token',
    success: 201,
    returns: NewTokenResponse,
    errors: [401, 403, 404],
  })
  async resetToken(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisRunner) { id }: ThisRunner,
  ): Promise<NewTokenResponse> {
    // By its beginning a runner knows whether it registered itself.
    const { creatorId } = await this.services.ask(ShowRunner, managed(viewer, id));
    const token = newSecret(creatorId === null ? 'glrtr' : 'glrt');
    await this.services.ask(ResetRunnerToken, { ...managed(viewer, id), tokenHash: hashSecret(token).toString('hex') });
    return { token, token_expires_at: null };
  }

  @Post('runners/reset_registration_token')
  @Needs('administrator')
  @Endpoint({
    summary: 'Give out another token with which runners of the whole installation register themselves',
    success: 201,
    returns: NewTokenResponse,
    errors: [401, 403],
  })
  async resetRegistrationToken(): Promise<NewTokenResponse> {
    const token = newSecret('GR1348941');
    await this.services.ask(ResetRegistrationToken, { tokenHash: hashSecret(token).toString('hex') });
    return { token, token_expires_at: null };
  }

  async #list(
    user: UserViewer,
    page: Page,
    filters: RunnerFilters,
    projectIds: number[] | null,
  ): Promise<RunnerResponse[]> {
    const { items, total } = await this.services.ask(ListRunners, {
      actor: actorOf(user),
      projectIds,
      ...runnerFilters(filters),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((runner) => presentRunner(runner, this.config.externalUrl)),
      { total },
    );
  }
}

/** In the word of today, or in that of former versions; undefined where neither is said. */
function isPaused({ paused, active }: RunnerSettings): boolean | undefined {
  return paused ?? (active == null ? undefined : !active);
}
