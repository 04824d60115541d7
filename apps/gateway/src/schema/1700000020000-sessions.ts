import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sessions of people at the pages. What they may do is what their access token may: that is read anew with each request. */
export class Sessions1700000020000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table gateway.sessions (
      id bigint generated always as identity primary key,
      secret_hash bytea not null unique,
      access_token_id bigint not null,
      user_id bigint not null,
      user_agent text,
      created_at timestamptz(3) not null,
      last_used_at timestamptz(3) not null,
      expires_at timestamptz(3) not null
    )`);
    await runner.query('create index on gateway.sessions (user_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table gateway.sessions');
  }
}
