import { CreateProject, invalid, MakeOwner, message, type ProjectFacts } from '#libs/contracts';
import { Injectable } from '@nestjs/common';
import { Bus } from '#libs/messaging';
import { retryingTransaction } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { importSeal, Sealing } from '../sealing.js';
import type { ImportAddress } from './import-address.js';
import { namespaceFor } from './namespaces.js';
import { attributeProblems, nameAndPath } from './project-attributes.js';
import { readProject } from './project-facts.js';
import { claimPath, takenProblems } from './project-paths.js';
import { ProjectReader } from './project-reader.js';
import { ProjectRemoval } from './project-removal.js';
import { ProjectSources } from './project-sources.js';

/** Less than the eight seconds that the caller of the HTTP API waits in all. */
const ownerLimitMs = 4_000;

/**
 * Makes projects. The project is written as `creating`, then the token service makes its creator an Owner, then it becomes `active`; what
 * stops in between is finished by the sweeper (architecture.md §3).
 */
@Injectable()
export class ProjectCreation {
  constructor(
    private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly sealing: Sealing,
    private readonly sources: ProjectSources,
    private readonly reader: ProjectReader,
    private readonly removal: ProjectRemoval,
  ) {}

  /** @throws Refusal 400 with GitLab's sentences; PublishFailed or RequestTimeout when the token service is away, and then there is no project */
  async create(order: CreateProject): Promise<ProjectFacts> {
    const names = nameAndPath(order);
    const problems = attributeProblems({ ...order, ...names });
    if (Object.keys(problems).length > 0) throw invalid(problems);
    const source = await this.sources.approve(order.importUrl, order.actor);
    const projectId = await this.write({ ...order, ...names }, source);
    try {
      await this.finish(projectId);
    } catch (error) {
      await this.removal.announce(projectId);
      throw error;
    }
    return readProject(this.database, projectId);
  }

  /**
   * The steps after the first, each of which may be taken again.
   * @throws Refusal when the creator is gone, PublishFailed or RequestTimeout when the token service is away
   */
  async finish(projectId: number): Promise<void> {
    const [project]: Unfinished[] = await this.database.query(
      `select creator_id, import_url, import_credentials, default_branch
       from pipelines.projects where id = $1 and state = 'creating'`,
      [projectId],
    );
    if (!project) return;
    const owner = message(MakeOwner, { projectId, userId: project.creator_id });
    const [branch] = await Promise.all([
      this.branchOf(projectId, project),
      this.bus.request(MakeOwner.pattern, owner, { timeoutMs: ownerLimitMs }),
    ]);
    await this.database.query(
      `update pipelines.projects set state = 'active', default_branch = $2 where id = $1 and state = 'creating'`,
      [projectId, branch],
    );
  }

  private branchOf(projectId: number, project: Unfinished): Promise<string> | string {
    if (project.default_branch !== null) return project.default_branch;
    const { import_url: url, import_credentials: credentials } = project;
    return this.sources.defaultBranch(url === null ? null : this.reader.address(projectId, url, credentials));
  }

  /** The same request writes one project. */
  private async write(
    order: CreateProject & { name: string; path: string },
    source: ImportAddress | null,
  ): Promise<number> {
    try {
      return await retryingTransaction(this.database, (manager) => this.insert(manager, order, source));
    } catch (error) {
      // The same request may have been a moment faster, and then it is its own project that is in the way.
      const known = await findByRequest(this.database, order.requestId);
      if (known !== undefined) return known;
      throw takenProblems(error) ?? error;
    }
  }

  private async insert(
    manager: EntityManager,
    order: CreateProject & { name: string; path: string },
    source: ImportAddress | null,
  ): Promise<number> {
    const known = await findByRequest(manager, order.requestId);
    if (known !== undefined) return known;
    const namespace = await namespaceFor(manager, order);
    const fullPath = `${namespace.path}/${order.path}`;
    await claimPath(manager, { namespaceId: namespace.id, name: order.name, fullPath });
    await this.noteUser(manager, order);
    const [{ id }]: [{ id: number }] = await manager.query(
      `select nextval(pg_get_serial_sequence('pipelines.projects', 'id')) as id`,
    );
    await manager.query(
      `insert into pipelines.projects
         (id, request_id, namespace_id, path, name, full_path, description, import_url, import_credentials, default_branch, ci_config_path,
          visibility, public_jobs, builds_access_level, ci_pipeline_variables_minimum_override_role, timeout_seconds, git_depth,
          creator_id, state, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 'creating', now(), now())`,
      [
        id,
        order.requestId,
        namespace.id,
        order.path,
        order.name,
        fullPath,
        order.description ?? null,
        source?.url ?? null,
        source?.credentials ? this.sealing.seal(JSON.stringify(source.credentials), importSeal(id)) : null,
        order.defaultBranch || null,
        order.ciConfigPath || null,
        order.visibility ?? 'private',
        order.publicJobs ?? true,
        order.buildsAccessLevel ?? 'enabled',
        order.pipelineVariablesRole ?? 'developer',
        order.buildTimeout ?? 3_600,
        order.gitDepth ?? 20,
        order.actor.id,
      ],
    );
    return id;
  }

  /** So that the owner of a project can be shown. Events of the token service keep the row up to date. */
  private async noteUser(manager: EntityManager, { actor }: CreateProject): Promise<void> {
    await manager.query(
      `insert into pipelines.users (id, username, name, email, state, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, now())
       on conflict (id) do nothing`,
      [actor.id, actor.username, actor.name, actor.email ?? null, actor.state, actor.createdAt],
    );
  }
}

async function findByRequest(database: Pick<EntityManager, 'query'>, requestId: string): Promise<number | undefined> {
  const rows: { id: number }[] = await database.query('select id from pipelines.projects where request_id = $1', [
    requestId,
  ]);
  return rows[0]?.id;
}

interface Unfinished {
  creator_id: number;
  import_url: string | null;
  import_credentials: string | null;
  default_branch: string | null;
}
