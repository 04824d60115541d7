import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A project's trigger requests, the newest first, for the delivery log. Rows come into these indexes as they are settled, in batches that no caller waits
 * for: recording a request costs what it did (docs/adr/0030-the-delivery-log.md).
 */
export class DeliveryLog1700000030000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index trigger_requests_created on gateway.trigger_requests (project_id, id) where state = 'created'`,
    );
    await runner.query(
      `create index trigger_requests_refused on gateway.trigger_requests (project_id, id) where state in ('rejected', 'parked')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index gateway.trigger_requests_refused');
    await runner.query('drop index gateway.trigger_requests_created');
  }
}
