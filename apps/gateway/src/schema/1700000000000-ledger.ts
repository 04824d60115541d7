import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The ledger of trigger requests: outbox, delivery log and source of replays in one (architecture.md §2). */
export class Ledger1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table gateway.trigger_requests (
      id uuid primary key,
      project_id bigint not null,
      trigger_id bigint,
      user_id bigint not null,
      ref text not null,
      channel text not null,
      event text not null,
      state text not null check (state in ('accepted', 'created', 'rejected', 'parked')),
      status smallint,
      outcome json,
      pipeline_id bigint,
      status_token_hash bytea,
      received_at timestamptz not null,
      publish_attempts integer not null default 0,
      next_publish_at timestamptz not null,
      settled_at timestamptz
    )`);
    await runner.query(`create index on gateway.trigger_requests (next_publish_at) where state = 'accepted'`);
    // Few requests have one, and an index of all would be written for each.
    await runner.query(
      `create unique index on gateway.trigger_requests (status_token_hash) where status_token_hash is not null`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table gateway.trigger_requests');
  }
}
