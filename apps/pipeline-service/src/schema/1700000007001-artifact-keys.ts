import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Gateways ask which of the bytes that they have are recorded. */
export class ArtifactKeys1700000007001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'create index artifacts_by_key on pipelines.artifacts (storage_key) where storage_key is not null',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index pipelines.artifacts_by_key');
  }
}
