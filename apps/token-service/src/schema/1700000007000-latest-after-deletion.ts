import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the latest deletion heard of said about the pipelines that a trigger still has, so that an older one that comes later does not beat it. */
export class LatestAfterDeletion1700000007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table tokens.triggers
      add deletion_order bigint not null default 0,
      add latest_then_id bigint,
      add latest_then_at timestamptz(3)`);
    await runner.query(`comment on column tokens.triggers.deletion_order is
      'Of the latest deletion of one of its pipelines that was heard of; latest_then_… is the newest pipeline that was left after it'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table tokens.triggers drop deletion_order, drop latest_then_id, drop latest_then_at');
  }
}
