import { ProjectDeleted, projectNotFound } from '#libs/contracts';
import { Outbox } from '#libs/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Repositories } from '../repositories/repositories.js';

/** Pipelines of a project go in this many at a time, so that no transaction grows long. */
const batch = 200;

/** Deletes projects: first nobody can reach them, then what they had goes. */
@Injectable()
export class ProjectRemoval {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly repositories: Repositories,
  ) {}

  /**
   * From here on the project cannot be reached, and everybody hears of it.
   * @throws Refusal 404 when there is no such project
   */
  async announce(projectId: number): Promise<void> {
    await this.outbox.transaction(async (manager, say) => {
      const [, moved] = (await manager.query(
        `update pipelines.projects set state = 'deleting', updated_at = now() where id = $1 and state <> 'deleting'`,
        [projectId],
      )) as [unknown, number];
      if (moved === 0) throw projectNotFound();
      await manager.query('delete from pipelines.orphaned_job_tokens where expires_at < now()');
      await manager.query(
        `with orphaned as (
           update pipelines.jobs set token_hash = null from pipelines.job_credentials as credential
            where credential.job_id = jobs.id and jobs.project_id = $1 and jobs.runner_id is not null
              and jobs.status in ('pending', 'running', 'canceling')
           returning credential.token_hash, credential.expires_at)
         insert into pipelines.orphaned_job_tokens select token_hash, expires_at from orphaned`,
        [projectId],
      );
      say(ProjectDeleted, { projectId });
    });
  }

  /** Takes away what the project had, and then the project. May be done again, and by several at once. */
  async remove(projectId: number): Promise<void> {
    let pipelines: number;
    do {
      [, pipelines] = (await this.database.query(
        `delete from pipelines.pipelines where id in (select id from pipelines.pipelines where project_id = $1 limit $2)`,
        [projectId, batch],
      )) as [unknown, number];
    } while (pipelines === batch);
    await this.database.query(`delete from pipelines.projects where id = $1 and state = 'deleting'`, [projectId]);
    await this.repositories.forget(projectId);
  }
}
