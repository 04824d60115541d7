import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import {
  AccessLevel,
  CreateRunner,
  DeleteRunner,
  EditRunner,
  forbidden,
  invalid,
  invalidParameters,
  ListRunners,
  ResetRunnerToken,
  type RunnerAccessLevel,
  runnerAccessLevels,
  type RunnerType,
  runnerTypes,
  ShowRunner,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { hashSecret, newSecret } from '../access/secrets.js';
import { actorOf, signedIn, type UserViewer, type Viewer } from '../access/viewer.js';
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
import {
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
  constructor(private readonly services: Services) {}

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
    if (!runUntagged && tagList.length === 0)
      throw invalid({ tags_list: ['can not be empty when runner is not allowed to pick untagged jobs'] });
    const token = newSecret('glrt');
    const { id } = await this.services.ask(CreateRunner, {
      runnerType: parameters.runner_type,
      projectId,
      description: parameters.description ?? '',
      paused: parameters.paused ?? false,
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
  list(@CurrentViewer() viewer: Viewer, @RequestedPage() page: Page): Promise<RunnerResponse[]> {
    return this.#list(signedIn(viewer), page, { projectIds: maintained(signedIn(viewer)) });
  }

  @Get('runners/all')
  @Needs('administrator')
  @Endpoint({ summary: 'List all runners', returns: [RunnerResponse], errors: [401, 403] })
  listAll(@CurrentViewer() viewer: Viewer, @RequestedPage() page: Page): Promise<RunnerResponse[]> {
    return this.#list(signedIn(viewer), page, {});
  }

  @Get('projects/:id/runners')
  @Needs('manage-runners')
  @Endpoint({
    summary: 'List the runners that take a project’s jobs',
    returns: [RunnerResponse],
    errors: [401, 403, 404],
  })
  listOfProject(
    @CurrentViewer() viewer: Viewer,
    @Project() project: ProjectAddress,
    @RequestedPage() page: Page,
  ): Promise<RunnerResponse[]> {
    return this.#list(signedIn(viewer), page, { projectId: project.id });
  }

  @Get('runners/:id')
  @Needs('user')
  @Endpoint({ summary: 'Show a runner', returns: RunnerDetailsResponse, errors: [401, 403, 404] })
  async show(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisRunner) { id }: ThisRunner,
  ): Promise<RunnerDetailsResponse> {
    return presentRunnerDetails(await this.services.ask(ShowRunner, managed(viewer, id)));
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
      paused: change.paused ?? undefined,
      locked: change.locked ?? undefined,
      runUntagged: change.run_untagged ?? undefined,
      tagList: change.tag_list ?? undefined,
      accessLevel: change.access_level ?? undefined,
      maximumTimeout: change.maximum_timeout,
      maintenanceNote: change.maintenance_note,
    });
    return presentRunnerDetails(facts);
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
    returns: RunnerTokenResponse,
    errors: [401, 403, 404],
  })
  async resetToken(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisRunner) { id }: ThisRunner,
  ): Promise<RunnerTokenResponse> {
    const token = newSecret('glrt');
    await this.services.ask(ResetRunnerToken, { ...managed(viewer, id), tokenHash: hashSecret(token).toString('hex') });
    return { id, token, token_expires_at: null };
  }

  async #list(
    user: UserViewer,
    page: Page,
    which: { projectId?: number; projectIds?: number[] },
  ): Promise<RunnerResponse[]> {
    const { items, total } = await this.services.ask(ListRunners, {
      actor: actorOf(user),
      ...which,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(presentRunner), { total });
  }
}

function managed(viewer: Viewer, runnerId: number) {
  const user = signedIn(viewer);
  return { runnerId, actor: actorOf(user), maintained: maintained(user) };
}

function maintained({ memberships }: UserViewer): number[] {
  return Object.entries(memberships).flatMap(([id, level]) => (level >= AccessLevel.Maintainer ? [Number(id)] : []));
}
