import type { Logger } from 'pino';
import type { Repositories } from '../repositories/repositories.js';
import type { RepositoryAddress } from '../repositories/repository-address.js';

const remembered = 10_000;

/**
 * Sees to it that the commit of a new pipeline is in the mirror before a force push can take it away, without anybody waiting for that
 * (architecture.md §5.5). One pipeline of each commit is enough; the others get their ref when a job of theirs is cloned.
 */
export class KeptCommits {
  readonly #kept = new Set<string>();

  constructor(
    private readonly repositories: Pick<Repositories, 'pin'>,
    private readonly log: Logger,
  ) {}

  keep(address: RepositoryAddress, sha: string, pipelineId: number): void {
    const key = `${address.projectId} ${sha}`;
    if (this.#kept.has(key)) return;
    if (this.#kept.size >= remembered) this.#kept.clear();
    this.#kept.add(key);
    this.repositories.pin(address, sha, pipelineId).catch((error: unknown) => {
      this.#kept.delete(key);
      this.log.warn({ err: error, project: address.projectId, sha }, 'the commit of a pipeline could not be kept');
    });
  }
}
