import type {
  BuildsAccessLevel,
  NamespaceFacts,
  OverrideRole,
  ProjectFacts,
  UserFacts,
  Visibility,
} from '#libs/contracts';
import { projectNotFound } from '#libs/contracts';
import type { EntityManager } from 'typeorm';

interface NamespaceRow {
  id: number;
  name: string;
  path: string;
  kind: 'user' | 'group';
  parent_id: number | null;
}

interface Row {
  id: number;
  name: string;
  path: string;
  full_path: string;
  description: string | null;
  namespace: NamespaceRow;
  owner: UserFacts | null;
  import_url: string | null;
  default_branch: string;
  ci_config_path: string | null;
  visibility: Visibility;
  public_jobs: boolean;
  builds_access_level: BuildsAccessLevel;
  ci_pipeline_variables_minimum_override_role: OverrideRole;
  archived: boolean;
  creator_id: number;
  timeout_seconds: number;
  git_depth: number;
  created_at: Date;
  updated_at: Date;
  last_activity_at: Date;
}

const namespaceColumns = `id, name, path, kind,
  (select parent.id from pipelines.namespaces parent
    where namespace.path like '%/%' and lower(parent.path) = lower(regexp_replace(namespace.path, '/[^/]*$', ''))) as parent_id`;

/** Projects as `projectFacts` reads them; `last_activity_at` is that of the newest pipeline, or of the last edit where that is later. */
export const projectRows = `
  select project.*, to_jsonb(namespace) as namespace,
    case when namespace.kind = 'user' then
      (select jsonb_build_object('id', id, 'username', username, 'name', name, 'state', state)
        from pipelines.users where id = namespace.owner_id)
    end as owner,
    greatest(project.updated_at,
      (select created_at from pipelines.pipelines where project_id = project.id order by id desc limit 1)) as last_activity_at
  from pipelines.projects project
  join lateral (select ${namespaceColumns}, owner_id from pipelines.namespaces namespace where id = project.namespace_id) namespace on true`;

/** Namespaces as `namespaceFacts` reads them. */
export const namespaceRows = `select ${namespaceColumns} from pipelines.namespaces namespace`;

/** @throws Refusal 404 unless the project is there and in this state */
export async function readProject(
  database: Pick<EntityManager, 'query'>,
  projectId: number,
  state: 'creating' | 'active' = 'active',
): Promise<ProjectFacts> {
  const [row]: Row[] = await database.query(`${projectRows} where project.id = $1 and project.state = $2`, [
    projectId,
    state,
  ]);
  if (!row) throw projectNotFound();
  return projectFacts(row);
}

export function projectFacts(row: Row): ProjectFacts {
  return {
    id: row.id,
    name: row.name,
    path: row.path,
    fullPath: row.full_path,
    description: row.description,
    namespace: namespaceFacts(row.namespace),
    importUrl: row.import_url,
    defaultBranch: row.default_branch,
    ciConfigPath: row.ci_config_path,
    visibility: row.visibility,
    publicJobs: row.public_jobs,
    buildsAccessLevel: row.builds_access_level,
    pipelineVariablesRole: row.ci_pipeline_variables_minimum_override_role,
    archived: row.archived,
    creatorId: row.creator_id,
    owner: row.owner,
    buildTimeout: row.timeout_seconds,
    gitDepth: row.git_depth,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    lastActivityAt: row.last_activity_at.toISOString(),
  };
}

export function namespaceFacts({ id, name, path, kind, parent_id: parentId }: NamespaceRow): NamespaceFacts {
  return { id, name, path: path.slice(path.lastIndexOf('/') + 1), fullPath: path, kind, parentId };
}
