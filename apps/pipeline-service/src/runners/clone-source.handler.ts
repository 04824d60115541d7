import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { notFound, OpenCloneSource, projectNotFound, Refusal } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DataSource } from 'typeorm';
import { ProjectReader } from '../projects/project-reader.js';
import { CommitNotFound, RefNotFound, RepositoryUnreadable } from '../repositories/repository-errors.js';
import { Repositories } from '../repositories/repositories.js';
import { CloneSource } from './clone-source.js';

/** Brings what somebody wants to clone into the mirror, and says where it can be had (architecture.md §5.5). */
@Controller()
export class CloneSourceHandler {
  constructor(
    private readonly database: DataSource,
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly source: CloneSource,
  ) {}

  @MessagePattern(OpenCloneSource.pattern)
  async open(@Payload() { projectId, pipelineId }: OpenCloneSource): Promise<{ url: string }> {
    const address = (await this.projects.load([projectId])).get(projectId)?.address;
    if (!address) throw projectNotFound();
    try {
      await this.repositories.pin(address, ...(await this.#wanted(projectId, pipelineId ?? null)));
    } catch (error) {
      if (error instanceof RepositoryUnreadable)
        throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
      if (error instanceof CommitNotFound || error instanceof RefNotFound) throw notFound();
      throw error;
    }
    return { url: this.source.open(this.repositories.mirrorPath(projectId)) };
  }

  /** The commit of the pipeline; without one that of the project's newest, which is what a person who clones can see here. */
  async #wanted(projectId: number, pipelineId: number | null): Promise<[sha: string, pipelineId: number]> {
    const [pipeline] = (await this.database.query(
      'select id, sha from pipelines.pipelines where project_id = $1 and ($2::bigint is null or id = $2) order by id desc limit 1',
      [projectId, pipelineId],
    )) as { id: number; sha: string }[];
    if (!pipeline) throw notFound();
    return [pipeline.sha, pipeline.id];
  }
}
