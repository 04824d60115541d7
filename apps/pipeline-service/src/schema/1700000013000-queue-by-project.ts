import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The queue of jobs, project by project: who has thousands in it must hide nobody else's. */
export class QueueByProject1700000013000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('drop index pipelines.jobs_waiting');
    await runner.query(
      `create index jobs_waiting on pipelines.jobs (project_id, id) where status = 'pending' and runner_id is null and not bridge`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index pipelines.jobs_waiting');
    await runner.query(
      `create index jobs_waiting on pipelines.jobs (id) where status = 'pending' and runner_id is null and not bridge`,
    );
  }
}
