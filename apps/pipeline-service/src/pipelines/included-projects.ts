import { Injectable } from '@nestjs/common';
import type { ProjectRefusal } from '#libs/ci-config';
import { AccessLevel, type Actor } from '#libs/contracts';
import { isUnanswered } from '#libs/messaging';
import { Accounts } from '../accounts.js';
import { type ProjectForCreation, ProjectReader } from '../projects/project-reader.js';
import { Repositories } from '../repositories/repositories.js';
import { CommitNotFound, RepositoryUnreadable } from '../repositories/repository-errors.js';
import { CommitFiles } from './commit-files.js';

/** As whom other projects are read. */
export type Reader = Pick<Actor, 'id' | 'admin'>;

/** Other projects' files for `include: project` (ci-config.md §5.3), as far as the user of the pipeline may read them. */
@Injectable()
export class IncludedProjects {
  constructor(
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly accounts: Accounts,
  ) {}

  /**
   * The files at the commit that a ref points to now: all that is read of one opening is of one commit.
   *
   * @param path full path of the project
   * @param ref branch, tag or commit; null: the default branch
   * @returns why there are none; a project that the reader may not read is answered like one that is not there
   * @throws RepositoryUnreadable, also when nobody answers who may read it
   */
  async open(path: string, ref: string | null, reader: Reader): Promise<CommitFiles | ProjectRefusal> {
    const project = await this.projects.byPath(path);
    if (!project || !(await this.#mayRead(project, reader))) return 'no such project';
    if (!project.address) return 'no such ref';
    const sha = await this.repositories.commitNamed(project.address, ref ?? project.defaultBranch);
    return sha === null ? 'no such ref' : new CommitFiles(this.repositories, project.address, sha);
  }

  /** Paths of all files of another project, as `open` finds it. */
  async paths(path: string, ref: string | null, reader: Reader): Promise<readonly string[] | ProjectRefusal> {
    const opened = await this.open(path, ref, reader);
    if (typeof opened === 'string') return opened;
    try {
      await opened.read({ files: [], fileList: true });
    } catch (error) {
      if (error instanceof CommitNotFound) return 'no such ref';
      throw error;
    }
    return opened.listFiles() ?? [];
  }

  /** Whoever may read the repository: everybody here is signed in, so only private projects ask for a membership. */
  async #mayRead({ id, visibility }: ProjectForCreation, reader: Reader): Promise<boolean> {
    if (reader.admin || visibility !== 'private') return true;
    try {
      const actor = await this.accounts.actorOn(id, reader.id);
      return actor !== null && actor.accessLevel >= AccessLevel.Reporter;
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      const reason = 'nobody answers who may read an included project';
      throw new RepositoryUnreadable({ transient: true, reason }, { cause: error });
    }
  }
}
