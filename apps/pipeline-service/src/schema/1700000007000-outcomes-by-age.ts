import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Outcomes are purged by the id of their request, which sorts by the time of receipt. The index on the time of the decision found less and
 * less, since pages that had become free were filled with new rows and kept their old summary.
 */
export class OutcomesByAge1700000007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('drop index pipelines.trigger_outcomes_created_at_idx');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('create index on pipelines.trigger_outcomes using brin (created_at)');
  }
}
