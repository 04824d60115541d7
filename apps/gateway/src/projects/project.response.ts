import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { AccessLevel, type ProjectFacts, visibilities } from '#libs/contracts';
import { presentUser, ShortUserResponse } from '../users/user.response.js';

const time = { type: 'string', format: 'date-time' } as const;
const text = { type: 'string', nullable: true } as const;
const free = { type: 'object', additionalProperties: true, nullable: true } as const;

export class NamespaceResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() name!: string;
  @ApiProperty() path!: string;
  @ApiProperty({ enum: ['user', 'group'] }) kind!: 'user' | 'group';
  @ApiProperty() full_path!: string;
  @ApiProperty({ type: 'integer', nullable: true }) parent_id!: number | null;
  @ApiProperty(text) avatar_url!: null;
  @ApiProperty() web_url!: string;
}

/** What `simple=true` leaves of a project in a list. */
export class SimpleProjectResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty(text) description!: string | null;
  @ApiProperty() name!: string;
  @ApiProperty() name_with_namespace!: string;
  @ApiProperty() path!: string;
  @ApiProperty() path_with_namespace!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty() default_branch!: string;
  @ApiProperty({ type: [String] }) tag_list!: string[];
  @ApiProperty({ type: [String] }) topics!: string[];
  @ApiProperty() ssh_url_to_repo!: string;
  @ApiProperty() http_url_to_repo!: string;
  @ApiProperty() web_url!: string;
  @ApiProperty(text) avatar_url!: null;
  @ApiProperty(time) last_activity_at!: string;
  @ApiProperty({ type: NamespaceResponse }) namespace!: NamespaceResponse;
}

/** In OpenAPI 3.0 `nullable` beside a reference allows no null. */
const userOrNull = {
  anyOf: [{ $ref: getSchemaPath(ShortUserResponse) }, { type: 'object', nullable: true, enum: [null] }],
};

/** What clients read of a project (trigger-api.md §5.1). */
@ApiExtraModels(ShortUserResponse)
export class ProjectResponse extends SimpleProjectResponse {
  @ApiProperty(free) _links!: object;
  @ApiProperty() empty_repo!: boolean;
  @ApiProperty() archived!: boolean;
  @ApiProperty({ enum: visibilities }) visibility!: string;
  @ApiProperty(userOrNull) owner!: ShortUserResponse | null;
  @ApiProperty({ type: 'integer' }) creator_id!: number;
  @ApiProperty({ ...text, description: 'For Maintainers only' }) import_url!: string | null;
  @ApiProperty() jobs_enabled!: boolean;
  @ApiProperty() builds_access_level!: string;
  @ApiProperty() public_jobs!: boolean;
  @ApiProperty(text) ci_config_path!: string | null;
  @ApiProperty() ci_pipeline_variables_minimum_override_role!: string;
  @ApiProperty({ type: 'integer', description: 'Seconds' }) build_timeout!: number;
  @ApiProperty({ type: 'integer' }) ci_default_git_depth!: number;
  @ApiProperty({ type: 'object', additionalProperties: true, selfRequired: false }) permissions?: object;
}

export function presentSimpleProject(facts: ProjectFacts, externalUrl: string): SimpleProjectResponse {
  const url = `${externalUrl}/${facts.fullPath}`;
  return {
    id: facts.id,
    description: facts.description,
    name: facts.name,
    name_with_namespace: `${namespaceName(facts.namespace)} / ${facts.name}`,
    path: facts.path,
    path_with_namespace: facts.fullPath,
    created_at: facts.createdAt,
    default_branch: facts.defaultBranch,
    tag_list: [],
    topics: [],
    ssh_url_to_repo: `git@${new URL(externalUrl).hostname}:${facts.fullPath}.git`,
    http_url_to_repo: `${url}.git`,
    web_url: url,
    avatar_url: null,
    last_activity_at: facts.lastActivityAt,
    namespace: presentNamespace(facts.namespace, externalUrl),
  };
}

/** @param level of the viewer on the project; null leaves the permissions out */
export function presentProject(facts: ProjectFacts, externalUrl: string, level: number | null): ProjectResponse {
  const api = `${externalUrl}/api/v4/projects/${facts.id}`;
  return {
    ...presentSimpleProject(facts, externalUrl),
    _links: { self: api, members: `${api}/members` },
    empty_repo: facts.importUrl === null,
    archived: facts.archived,
    visibility: facts.visibility,
    owner: facts.owner && presentUser(facts.owner, externalUrl),
    creator_id: facts.creatorId,
    // It may name a path on the server or a private host, which are for those who may change it.
    import_url: (level ?? AccessLevel.None) >= AccessLevel.Maintainer ? facts.importUrl : null,
    jobs_enabled: facts.buildsAccessLevel !== 'disabled',
    builds_access_level: facts.buildsAccessLevel,
    public_jobs: facts.publicJobs,
    ci_config_path: facts.ciConfigPath,
    ci_pipeline_variables_minimum_override_role: facts.pipelineVariablesRole,
    build_timeout: facts.buildTimeout,
    ci_default_git_depth: facts.gitDepth,
    ...(level !== null && {
      permissions: {
        project_access: level > 0 ? { access_level: level, notification_level: 3 } : null,
        group_access: null,
      },
    }),
  };
}

/** A user's namespace goes by the user's name, a group's by its path. */
function namespaceName({ kind, name, fullPath }: ProjectFacts['namespace']): string {
  return kind === 'user' ? name : fullPath.replaceAll('/', ' / ');
}

export function presentNamespace(facts: ProjectFacts['namespace'], externalUrl: string): NamespaceResponse {
  return {
    id: facts.id,
    name: facts.name,
    path: facts.path,
    kind: facts.kind,
    full_path: facts.fullPath,
    parent_id: facts.parentId,
    avatar_url: null,
    web_url: `${externalUrl}/${facts.kind === 'group' ? 'groups/' : ''}${facts.fullPath}`,
  };
}
