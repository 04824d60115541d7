import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { AssignRunner, forbidden, invalid, notFound, type RunnerDetails, UnassignRunner } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { findManaged } from './runners.repository.js';

/** Which projects' jobs a project runner takes. */
@Controller()
export class RunnerProjectsHandler {
  constructor(
    private readonly database: DataSource,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(AssignRunner.pattern)
  async assign(@Payload() order: AssignRunner): Promise<RunnerDetails> {
    const runner = await findManaged(this.database, order, this.clock.now());
    if (runner.runnerType !== 'project_type') throw forbidden('Runner is not a project runner');
    if (runner.locked && !order.actor.admin) throw forbidden('Runner is locked');
    const added = (await this.database.query(
      'insert into pipelines.runner_projects values ($1, $2) on conflict do nothing returning 1',
      [runner.id, order.projectId],
    )) as unknown[];
    if (added.length === 0) throw invalid({ runner_id: ['has already been taken'] });
    return runner;
  }

  @MessagePattern(UnassignRunner.pattern)
  async unassign(@Payload() { runnerId, projectId }: UnassignRunner): Promise<null> {
    const [row] = (await this.database.query(
      `select (select count(*)::int from pipelines.runner_projects as other where other.runner_id = its.runner_id) as projects
       from pipelines.runner_projects as its where runner_id = $1 and project_id = $2`,
      [runnerId, projectId],
    )) as { projects: number }[];
    if (!row) throw notFound();
    if (row.projects === 1)
      throw forbidden('Only one project associated with the runner. Please remove the runner instead');
    await this.database.query('delete from pipelines.runner_projects where runner_id = $1 and project_id = $2', [
      runnerId,
      projectId,
    ]);
    return null;
  }
}
