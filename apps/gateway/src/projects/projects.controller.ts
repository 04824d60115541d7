import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  buildsAccessLevels,
  type BuildsAccessLevel,
  CreateProject,
  DeleteProject,
  EditProject,
  forbidden,
  invalidParameters,
  ListNamespaces,
  ListProjects,
  overrideRoles,
  type OverrideRole,
  projectOrders,
  type ProjectOrder,
  ShowProject,
  visibilities,
  type Visibility,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, onProject, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { BooleanParameter, ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import {
  NamespaceResponse,
  presentNamespace,
  presentProject,
  presentSimpleProject,
  ProjectResponse,
  SimpleProjectResponse,
} from './project.response.js';

class ProjectParameters {
  @StringParameter({ description: 'Without it the path, or the other way round' }) name?: string | null;
  @StringParameter() path?: string | null;
  @StringParameter() description?: string | null;
  @StringParameter({ description: 'Any git repository; a user and password in it are kept sealed' }) import_url?:
    string | null;
  @StringParameter({ description: 'Asked from the repository where not given' }) default_branch?: string | null;
  @StringParameter({ description: 'Where the configuration is, if not .gitlab-ci.yml' }) ci_config_path?: string | null;
  @ChoiceParameter(visibilities) visibility?: Visibility | null;
  @BooleanParameter() public_jobs?: boolean | null;
  @ChoiceParameter(buildsAccessLevels) builds_access_level?: BuildsAccessLevel | null;
  @ChoiceParameter(overrideRoles) ci_pipeline_variables_minimum_override_role?: OverrideRole | null;
  @IntegerParameter({ description: 'Seconds' }) build_timeout?: number | null;
  @IntegerParameter() ci_default_git_depth?: number | null;
}

class NewProject extends ProjectParameters {
  @IntegerParameter() namespace_id?: number | null;
  @StringParameter({ description: 'Full path; an addition to GitLab' }) namespace?: string | null;
}

class ProjectChange extends ProjectParameters {
  @BooleanParameter() archived?: boolean | null;
}

class ProjectFilter {
  @StringParameter({ description: 'Part of the name or path' }) search?: string | null;
  @ChoiceParameter(visibilities) visibility?: Visibility | null;
  @BooleanParameter() archived?: boolean | null;
  @BooleanParameter({ description: 'Only projects that one is a member of' }) membership?: boolean | null;
  @BooleanParameter({ description: 'Only projects that one owns' }) owned?: boolean | null;
  @IntegerParameter({ description: 'Least access level of one’s membership' }) min_access_level?: number | null;
  @BooleanParameter({ description: 'Only what tells projects apart' }) simple?: boolean | null;
  @ChoiceParameter(projectOrders) order_by?: ProjectOrder | null;
  @ChoiceParameter(['asc', 'desc']) sort?: 'asc' | 'desc' | null;
}

class NamespaceFilter {
  @StringParameter({ description: 'Part of the path' }) search?: string | null;
}

/** The project cannot be reached any more; what it had goes after the answer. */
class DeletionResponse {
  @ApiProperty({ example: '202 Accepted' }) message!: string;
}

const ownerLevel = 50;

/** trigger-api.md §5.1, architecture.md §4. */
@Controller()
export class ProjectsController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get('projects')
  @Needs('anyone')
  @Endpoint({
    summary: 'List projects',
    returns: [ProjectResponse],
    orReturns: SimpleProjectResponse,
    errors: [401],
  })
  async list(
    @CurrentViewer() viewer: Viewer,
    @Parameters(ProjectFilter) filter: ProjectFilter,
    @RequestedPage() page: Page,
  ): Promise<(ProjectResponse | SimpleProjectResponse)[]> {
    const user = viewer.kind === 'user' ? viewer : null;
    const { items, total } = await this.services.ask(ListProjects, {
      actor: user && actorOf(user),
      memberOf: user ? Object.keys(user.memberships).map(Number) : [],
      only: memberships(viewer, filter),
      search: filter.search,
      visibility: filter.visibility,
      archived: filter.archived,
      orderBy: filter.order_by ?? 'created_at',
      sort: filter.sort ?? 'desc',
      page: page.page,
      perPage: page.perPage,
    });
    const { externalUrl } = this.config;
    const projects = items.map((facts) =>
      filter.simple
        ? presentSimpleProject(facts, externalUrl)
        : presentProject(facts, externalUrl, levelOn(viewer, facts.id)),
    );
    return page.answer(projects, { total });
  }

  @Post('projects')
  @Needs('user')
  @Endpoint({ summary: 'Create a project', success: 201, returns: ProjectResponse, errors: [401, 403, 404] })
  async create(
    @CurrentViewer() viewer: Viewer,
    @Parameters(NewProject) parameters: NewProject,
  ): Promise<ProjectResponse> {
    if (!parameters.name && !parameters.path)
      throw invalidParameters('name, path are missing, at least one parameter must be provided');
    const facts = await this.services.ask(CreateProject, {
      ...settings(parameters),
      requestId: randomUUID(),
      actor: actorOf(signedIn(viewer)),
      namespaceId: parameters.namespace_id,
      namespacePath: parameters.namespace,
    });
    return presentProject(facts, this.config.externalUrl, ownerLevel);
  }

  @Get('projects/:id')
  @Needs('read-project')
  @Endpoint({ summary: 'Show a project', returns: ProjectResponse, errors: [401, 404] })
  async show(@Project() project: ProjectAddress, @CurrentViewer() viewer: Viewer): Promise<ProjectResponse> {
    const facts = await this.services.ask(ShowProject, { projectId: project.id });
    return presentProject(facts, this.config.externalUrl, viewer.kind === 'user' ? viewer.level : null);
  }

  @Put('projects/:id')
  @Needs('edit-project')
  @Endpoint({ summary: 'Edit a project', returns: ProjectResponse, errors: [401, 403, 404] })
  async edit(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ProjectChange) parameters: ProjectChange,
  ): Promise<ProjectResponse> {
    if (viewer.level < ownerLevel && isForOwners(parameters, project)) throw forbidden();
    const facts = await this.services.ask(EditProject, {
      ...settings(parameters),
      archived: parameters.archived ?? undefined,
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
    });
    return presentProject(facts, this.config.externalUrl, viewer.level);
  }

  @Delete('projects/:id')
  @Needs('delete-project')
  @Endpoint({ summary: 'Delete a project', success: 202, returns: DeletionResponse, errors: [401, 403, 404] })
  async delete(@Project() project: ProjectAddress): Promise<DeletionResponse> {
    await this.services.ask(DeleteProject, { projectId: project.id });
    return { message: '202 Accepted' };
  }

  @Get('namespaces')
  @Needs('user')
  @Endpoint({ summary: 'List namespaces to create projects in', returns: [NamespaceResponse], errors: [401] })
  async namespaces(
    @CurrentViewer() viewer: Viewer,
    @Parameters(NamespaceFilter) { search }: NamespaceFilter,
    @RequestedPage() page: Page,
  ): Promise<NamespaceResponse[]> {
    const { items, total } = await this.services.ask(ListNamespaces, {
      actor: actorOf(signedIn(viewer)),
      search,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((facts) => presentNamespace(facts, this.config.externalUrl)),
      { total },
    );
  }
}

/** Renaming a project, archiving it and changing who sees it is for Owners (GitLab's `ProjectPolicy`). */
function isForOwners({ name, path, archived, visibility }: ProjectChange, project: ProjectAddress): boolean {
  return Boolean(name || path) || archived != null || (visibility != null && visibility !== project.visibility);
}

function levelOn(viewer: Viewer, projectId: number): number | null {
  return viewer.kind === 'user' ? onProject(viewer, projectId).level : null;
}

/** The projects that `membership`, `owned` and `min_access_level` leave; null for no such filter. */
function memberships(viewer: Viewer, { membership, owned, min_access_level }: ProjectFilter): number[] | null {
  const least = owned ? ownerLevel : (min_access_level ?? (membership ? 1 : 0));
  if (least <= 0) return null;
  const levels = viewer.kind === 'user' ? viewer.memberships : {};
  return Object.entries(levels).flatMap(([id, level]) => (level >= least ? [Number(id)] : []));
}

/** What was not sent stays as it is; null empties what may be empty. */
function settings(parameters: ProjectParameters) {
  return {
    name: parameters.name ?? undefined,
    path: parameters.path ?? undefined,
    description: parameters.description,
    importUrl: parameters.import_url,
    defaultBranch: parameters.default_branch ?? undefined,
    ciConfigPath: parameters.ci_config_path,
    visibility: parameters.visibility ?? undefined,
    publicJobs: parameters.public_jobs ?? undefined,
    buildsAccessLevel: parameters.builds_access_level ?? undefined,
    pipelineVariablesRole: parameters.ci_pipeline_variables_minimum_override_role ?? undefined,
    buildTimeout: parameters.build_timeout ?? undefined,
    gitDepth: parameters.ci_default_git_depth ?? undefined,
  };
}
