import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tokens with which runners register themselves (runner-api.md §1.3); nobody made those runners. */
export class RunnerRegistration1700000012000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Of no project: for runners of the whole installation.
    await runner.query(`create table pipelines.registration_tokens (
      project_id bigint references pipelines.projects on delete cascade,
      token_hash bytea primary key,
      created_at timestamptz not null
    )`);
    await runner.query('create unique index on pipelines.registration_tokens (coalesce(project_id, 0))');
    await runner.query('alter table pipelines.runners alter column creator_id drop not null');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('delete from pipelines.runners where creator_id is null');
    await runner.query('alter table pipelines.runners alter column creator_id set not null');
    await runner.query('drop table pipelines.registration_tokens');
  }
}
