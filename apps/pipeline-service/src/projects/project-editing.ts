import { EditProject, invalid, type ProjectFacts } from '#libs/contracts';
import { retryingTransaction } from '#libs/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { importSeal, Sealing } from '../sealing.js';
import type { ImportAddress } from './import-address.js';
import { attributeProblems } from './project-attributes.js';
import { readProject } from './project-facts.js';
import { claimPath, takenProblems } from './project-paths.js';
import { ProjectSources } from './project-sources.js';

/** What an edit may write, and the column it goes to. */
const columns = {
  name: 'name',
  description: 'description',
  defaultBranch: 'default_branch',
  ciConfigPath: 'ci_config_path',
  visibility: 'visibility',
  publicJobs: 'public_jobs',
  buildsAccessLevel: 'builds_access_level',
  pipelineVariablesRole: 'ci_pipeline_variables_minimum_override_role',
  buildTimeout: 'timeout_seconds',
  gitDepth: 'git_depth',
  archived: 'archived',
} as const satisfies Partial<Record<keyof EditProject, string>>;

/** Changes projects. */
@Injectable()
export class ProjectEditing {
  constructor(
    private readonly database: DataSource,
    private readonly sealing: Sealing,
    private readonly sources: ProjectSources,
  ) {}

  /** @throws Refusal 400 with GitLab's sentences, 404 when there is no such project */
  async edit(order: EditProject): Promise<ProjectFacts> {
    const problems = attributeProblems(order);
    if (Object.keys(problems).length > 0) throw invalid(problems);
    const source = order.importUrl === undefined ? undefined : await this.sources.approve(order.importUrl, order.actor);
    try {
      return await retryingTransaction(this.database, (manager) => this.write(manager, order, source));
    } catch (error) {
      throw takenProblems(error) ?? error;
    }
  }

  private async write(
    manager: EntityManager,
    order: EditProject,
    source: ImportAddress | null | undefined,
  ): Promise<ProjectFacts> {
    await manager.query('select from pipelines.projects where id = $1 for update', [order.projectId]);
    const before = await readProject(manager, order.projectId);
    const changes = new Map<string, unknown>();
    for (const [attribute, column] of Object.entries(columns)) {
      const value = order[attribute as keyof typeof columns];
      if (value !== undefined) changes.set(column, value);
    }
    if (order.ciConfigPath === '') changes.set('ci_config_path', null);
    if (source !== undefined) {
      changes.set('import_url', source?.url ?? null);
      changes.set('import_credentials', this.sealed(order.projectId, source));
    }
    const fullPath = order.path === undefined ? before.fullPath : `${before.namespace.fullPath}/${order.path}`;
    const place = { projectId: before.id, namespaceId: before.namespace.id, name: order.name ?? before.name, fullPath };
    if (fullPath !== before.fullPath || place.name !== before.name) await claimPath(manager, place);
    if (fullPath !== before.fullPath) {
      changes.set('path', order.path);
      changes.set('full_path', fullPath);
      await this.leaveFormerPath(manager, before);
    }
    const assignments = [...changes.keys()].map((column, index) => `${column} = $${index + 2}`);
    await manager.query(
      `update pipelines.projects set ${[...assignments, 'updated_at = now()'].join(', ')} where id = $1`,
      [order.projectId, ...changes.values()],
    );
    return readProject(manager, order.projectId);
  }

  private sealed(projectId: number, source: ImportAddress | null): string | null {
    return source?.credentials ? this.sealing.seal(JSON.stringify(source.credentials), importSeal(projectId)) : null;
  }

  /** A change of letters' case alone leaves nothing behind, since paths are compared without it. */
  private async leaveFormerPath(manager: EntityManager, before: ProjectFacts): Promise<void> {
    await manager.query(
      `insert into pipelines.project_paths (path, project_id)
       select $1, $2 on conflict (lower(path)) do update set path = excluded.path, project_id = excluded.project_id`,
      [before.fullPath, before.id],
    );
  }
}
