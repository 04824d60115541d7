import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which jobs' logs may show every variable, since they ran with `CI_DEBUG_TRACE` (runner-api.md §4.1). */
export class DebugTraces1700000010000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table pipelines.jobs add column debug_trace boolean not null default false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table pipelines.jobs drop column debug_trace');
  }
}
