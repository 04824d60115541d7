import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a gateway last said which jobs it heard of: one row, so that silence of a runner is told from silence of all gateways. */
export class GatewayReports1700000005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table pipelines.gateway_reports (
      only_row boolean primary key default true check (only_row),
      received_at timestamptz not null
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table pipelines.gateway_reports');
  }
}
