import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs that stand for other pipelines: no runner gets them, and they are found by the pipeline that they stand for. */
export class Bridges1700000008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['planned_jobs', 'jobs'])
      await runner.query(`alter table pipelines.${table} add column bridge boolean not null default false`);
    await runner.query(`alter table pipelines.jobs add column linked_pipeline_id bigint`);
    await runner.query(
      `create index on pipelines.jobs (linked_pipeline_id) where linked_pipeline_id is not null and not retried`,
    );
    await runner.query(
      `create index bridges_under_way on pipelines.jobs (id) where bridge and status in ('pending', 'running')`,
    );
    await runner.query('drop index pipelines.jobs_waiting');
    await runner.query(
      `create index jobs_waiting on pipelines.jobs (id) where status = 'pending' and runner_id is null and not bridge`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index pipelines.jobs_waiting');
    await runner.query(
      `create index jobs_waiting on pipelines.jobs (id) where status = 'pending' and runner_id is null`,
    );
    await runner.query('alter table pipelines.jobs drop column linked_pipeline_id');
    for (const table of ['planned_jobs', 'jobs'])
      await runner.query(`alter table pipelines.${table} drop column bridge`);
  }
}
