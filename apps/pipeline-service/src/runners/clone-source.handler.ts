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

  constructor(
    private readonly database: DataSource,
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly source: CloneSource,
  ) {}

  @MessagePattern(OpenCloneSource.pattern)
  async open(@Payload() { projectId, pipelineId, begins }: OpenCloneSource): Promise<{ url: string }> {
    const project = (await this.projects.load([projectId])).get(projectId);
    if (!project?.address) throw projectNotFound();
    try {
      if (!pipelineId) return { url: this.source.open(await this.#current(project, project.address, begins)) };
      const pipeline = await this.#pipeline(projectId, pipelineId);
      if (begins || !this.#ready.has(pipelineId)) await this.#prepare(project.address, pipeline);
      return { url: this.source.open(this.repositories.mirrorPath(projectId), `refs/pipelines/${pipelineId}`) };
    } catch (error) {
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      if (error instanceof CommitNotFound) throw notFound();
      throw error;
    }
  }

  /** @param begins false for the further requests of a clone, which are about what the first one told */
  async #current(project: ProjectForCreation, address: RepositoryAddress, begins: boolean): Promise<string> {
    return begins
      ? this.repositories.freshMirror(address, project.defaultBranch)
      : this.repositories.mirrorPath(project.id);
  }

  async #prepare(address: RepositoryAddress, pipeline: PinnedPipeline): Promise<void> {
    await this.repositories.mirrorForJob(address, pipeline);
    if (this.#ready.size >= remembered) this.#ready.clear();
    this.#ready.add(pipeline.id);
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
