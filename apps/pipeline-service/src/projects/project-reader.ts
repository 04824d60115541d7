import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { BuildsAccessLevel, OverrideRole, ProjectState, VariableType, Visibility } from '#libs/contracts';
import type { ProtectionRules } from '../protected-refs/protected-ref.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { importSeal, Sealing, variableSeal } from '../sealing.js';

/** A project variable with its value in clear. */
export interface ProjectVariable {
  key: string;
  value: string;
  variableType: VariableType;
  /** Only for jobs on protected refs. */
  protected: boolean;
  masked: boolean;
  /** Not expanded. */
  raw: boolean;
  environmentScope: string;
}

/** Everything about a project that decides about its pipelines. */
export interface ProjectForCreation {
  id: number;
  /** Full path, namespaces included. */
  path: string;
  /** The path's last part. */
  slug: string;
  name: string;
  description: string | null;
  namespace: { id: number; path: string; kind: 'user' | 'group' };
  visibility: Visibility;
  state: ProjectState;
  archived: boolean;
  publicJobs: boolean;
  buildsAccessLevel: BuildsAccessLevel;
  /** From which role on a caller may set pipeline variables (trigger-api.md §1.6, check 8). */
  pipelineVariablesRole: OverrideRole;
  defaultBranch: string;
  ciConfigPath: string | null;
  timeoutSeconds: number;
  gitDepth: number;
  /** Null for a project without a repository. Holds the password: never to be logged. */
  address: RepositoryAddress | null;
  variables: ProjectVariable[];
  protection: ProtectionRules;
  /** The installation's limit for pipelines per minute, project, user and commit; 0 is none (trigger-api.md §1.9). */
  pipelineLimitPerProjectUserSha: number;
}

type Row = Omit<ProjectForCreation, 'address'> & { importUrl: string | null; importCredentials: string | null };

/** Reads what pipelines of many projects need in one round trip. Never cached: a change counts for the next trigger. */
@Injectable()
export class ProjectReader {
  constructor(
    private readonly database: DataSource,
    private readonly sealing: Sealing,
  ) {}

  /**
   * @param projectIds may repeat; those that do not exist are missing in the answer
   * @throws SealBroken when a value of one of the projects cannot be opened
   */
  async load(projectIds: readonly number[]): Promise<Map<number, ProjectForCreation>> {
    const rows: Row[] = await this.database.query(statement, [[...new Set(projectIds)]]);
    return new Map(rows.map((row) => [row.id, this.#open(row)]));
  }

  /** The project that has this full path now, in whatever case; former paths lead nowhere. Undefined when there is none. */
  async byPath(path: string): Promise<ProjectForCreation | undefined> {
    const [found]: { id: number }[] = await this.database.query(
      `select id from pipelines.projects where lower(full_path) = lower($1) and state = 'active'`,
      [path],
    );
    return found && (await this.load([found.id])).get(found.id);
  }

  #open({ importUrl, importCredentials, ...project }: Row): ProjectForCreation {
    return {
      ...project,
      address: importUrl === null ? null : this.address(project.id, importUrl, importCredentials),
      variables: project.variables.map((variable) => ({
        ...variable,
        value: this.sealing.open(variable.value, variableSeal(project.id, variable.key)),
      })),
    };
  }

  /** @throws SealBroken */
  address(projectId: number, url: string, credentials: string | null): RepositoryAddress {
    if (credentials === null) return { projectId, url };
    const opened = JSON.parse(
      this.sealing.open(credentials, importSeal(projectId)),
    ) as RepositoryAddress['credentials'];
    return { projectId, url, credentials: opened };
  }
}

/** SQL for the `ProtectionRules` of a row that goes by the name `project`. */
export const protectionRules = `json_build_object(
    'branches', (select coalesce(json_agg(json_build_object(
        'name', name, 'pushAccessLevel', push_access_level, 'mergeAccessLevel', merge_access_level)), '[]')
      from pipelines.protected_branches where project_id = project.id),
    'tags', (select coalesce(json_agg(json_build_object('name', name, 'createAccessLevel', create_access_level)), '[]')
      from pipelines.protected_tags where project_id = project.id))`;

const statement = `
  select project.id, project.full_path as path, project.path as slug, project.name, project.description,
    json_build_object('id', namespace.id, 'path', namespace.path, 'kind', namespace.kind) as namespace,
    project.visibility, project.state, project.archived, project.public_jobs as "publicJobs",
    project.builds_access_level as "buildsAccessLevel",
    project.ci_pipeline_variables_minimum_override_role as "pipelineVariablesRole",
    coalesce(project.default_branch, 'main') as "defaultBranch", project.ci_config_path as "ciConfigPath",
    project.timeout_seconds as "timeoutSeconds", project.git_depth as "gitDepth",
    project.import_url as "importUrl", project.import_credentials as "importCredentials",
    (select coalesce(json_agg(json_build_object(
        'key', key, 'value', value, 'variableType', variable_type, 'protected', protected, 'masked', masked,
        'raw', raw, 'environmentScope', environment_scope) order by id), '[]')
      from pipelines.variables where project_id = project.id) as variables,
    ${protectionRules} as protection,
    coalesce((select value::int from pipelines.settings where key = 'pipeline_limit_per_project_user_sha'), 0)
      as "pipelineLimitPerProjectUserSha"
  from pipelines.projects project join pipelines.namespaces namespace on namespace.id = project.namespace_id
  where project.id = any($1::bigint[])`;
