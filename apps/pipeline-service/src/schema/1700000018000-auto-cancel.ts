import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What cancels the pipelines of a plan: `workflow:auto_cancel`. */
export class AutoCancel1700000018000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table pipelines.plans add column auto_cancel jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table pipelines.plans drop column auto_cancel');
  }
}
