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
      received_at timestamptz not null,
      publish_attempts integer not null default 0,
      next_publish_at timestamptz not null,
      settled_at timestamptz
    )`);
    await runner.query(`create index on gateway.trigger_requests (next_publish_at) where state = 'accepted'`);
    // URLs that tell an outcome: of few requests, and of one that was repeated several.
    await runner.query(`create table gateway.status_tokens (
      token_hash bytea primary key,
      request_id uuid not null references gateway.trigger_requests on delete cascade
    )`);
    await runner.query('create index on gateway.status_tokens (request_id)');
    await runner.query(`create table gateway.idempotency_keys (
      key_hash bytea primary key,
      fingerprint bytea not null,
      request_id uuid not null,
      created_at timestamptz not null
    )`);
    await runner.query('create index on gateway.idempotency_keys (created_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['idempotency_keys', 'status_tokens', 'trigger_requests'])
      await runner.query(`drop table gateway.${table}`);
  }
}
