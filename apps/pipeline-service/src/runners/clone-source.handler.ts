import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { notFound, OpenCloneSource, projectNotFound, Refusal } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { CommitNotFound, RepositoryUnreadable } from '../repositories/repository-errors.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';
import { Repositories } from '../repositories/repositories.js';
import { CloneSource } from './clone-source.js';

const remembered = 10_000;
/** The requests of one clone follow each other at once. */
const sameCloneMs = 2_000;

interface PinnedPipeline {
  id: number;
  sha: string;
  tag: string | null;
}

/** Brings what somebody wants to clone into the mirror, and says where it can be had (architecture.md §5.5). */
@Controller()
export class CloneSourceHandler {
  /** Pipelines whose clone this replica has begun to serve: the further requests of a clone find everything ready. */
  readonly #ready = new Set<number>();
  /** When this replica last began to bring a project's mirror up to date. */
  readonly #refreshed = new Map<number, number>();

  constructor(
    private readonly database: DataSource,
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly source: CloneSource,
  ) {}

  @MessagePattern(OpenCloneSource.pattern)
  async open(@Payload() { projectId, pipelineId, begins }: OpenCloneSource): Promise<{ url: string }> {
    const [found, pipeline] = await Promise.all([
      this.projects.load([projectId]),
      pipelineId ? this.#pipeline(projectId, pipelineId) : undefined,
    ]);
    const project = found.get(projectId);
    if (!project?.address) throw projectNotFound();
    try {
      const pipelines = pipeline
        ? [await this.#prepare(project, project.address, pipeline, begins)]
        : await this.#prepareForAnybody(project, project.address, begins);
      const pins = pipelines.map(({ id }) => `refs/pipelines/${id}`);
      return { url: this.source.open(this.repositories.mirrorPath(projectId), pins) };
    } catch (error) {
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      if (error instanceof CommitNotFound) throw notFound();
      throw error;
    }
  }

  /**
   * The repository as it is now. git sends its credentials only where it is asked for them, and for a public project it is not: there a job
   * comes as anybody, and its commit must be there for it all the same.
   *
   * @param begins false for the further requests of a clone, which are about what the first one told, here or at another replica
   */
  async #prepareForAnybody(
    project: ProjectForCreation,
    address: RepositoryAddress,
    begins: boolean,
  ): Promise<PinnedPipeline[]> {
    if (begins || !this.#isFresh(project.id)) await this.#refresh(project, address);
    const pipelines = await this.#underWay(project.id);
    // What is wrong with one of them is no reason to refuse everybody else.
    await Promise.allSettled(pipelines.map((pipeline) => this.#prepare(project, address, pipeline, begins)));
    return pipelines;
  }

  /** What the first request of a clone told may have been told by another replica, whose mirror is newer than this one's. */
  #isFresh(projectId: number): boolean {
    return performance.now() - (this.#refreshed.get(projectId) ?? -Infinity) < sameCloneMs;
  }

  async #refresh(project: ProjectForCreation, address: RepositoryAddress): Promise<void> {
    const at = performance.now();
    await this.repositories.freshMirror(address, project.defaultBranch);
    if (this.#refreshed.size >= remembered) this.#refreshed.clear();
    this.#refreshed.set(project.id, at);
  }

  async #prepare(
    { defaultBranch }: ProjectForCreation,
    address: RepositoryAddress,
    pipeline: PinnedPipeline,
    begins: boolean,
  ): Promise<PinnedPipeline> {
    if (!begins && this.#ready.has(pipeline.id)) return pipeline;
    await this.repositories.mirrorForJob(address, pipeline, defaultBranch);
    if (this.#ready.size >= remembered) this.#ready.clear();
    this.#ready.add(pipeline.id);
    return pipeline;
  }

  /** Pipelines of which a runner has a job. */
  #underWay(projectId: number): Promise<PinnedPipeline[]> {
    return this.database.query(
      `select id, sha, case when tag then ref end as tag from pipelines.pipelines where id in (
         select pipeline_id from pipelines.jobs
          where status in ('pending', 'running', 'canceling') and runner_id is not null and project_id = $1)`,
      [projectId],
    );
  }

  async #pipeline(projectId: number, pipelineId: number): Promise<PinnedPipeline> {
    const [pipeline] = (await this.database.query(
      'select id, sha, case when tag then ref end as tag from pipelines.pipelines where id = $1 and project_id = $2',
      [pipelineId, projectId],
    )) as PinnedPipeline[];
    if (!pipeline) throw notFound();
    return pipeline;
  }
}
