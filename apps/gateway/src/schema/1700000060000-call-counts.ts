import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How often somebody called in the current minute. Not logged: a crash may forget it, and the busiest table of all costs nothing at the commit. Rows
 * are changed in place, as no index holds what changes.
 */
export class CallCounts1700000060000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create unlogged table gateway.call_counts (
      key text primary key,
      minute timestamptz not null,
      calls integer not null
    ) with (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table gateway.call_counts');
  }
}
