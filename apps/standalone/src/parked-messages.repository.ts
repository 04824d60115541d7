import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import type { Message, ParkedMessage, ParkedStore } from '#libs/messaging';
import type { Schema } from '#libs/persistence';

class CreateParkedMessages1700000000000 implements MigrationInterface {
  readonly name = 'CreateParkedMessages1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table standalone.parked_messages (
      queue text not null,
      id text not null,
      reason text not null,
      message jsonb not null,
      parked_at timestamptz not null default now(),
      primary key (queue, id)
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table standalone.parked_messages');
  }
}

/** Text holds what `jsonb` refuses: a NUL in JSON, or half of a pair of surrogates. */
class ParkedMessagesAsText1700000007000 implements MigrationInterface {
  readonly name = 'ParkedMessagesAsText1700000007000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table standalone.parked_messages alter message type text using message::text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table standalone.parked_messages alter message type jsonb using message::jsonb');
  }
}

/** What belongs to none of the services. */
export const standaloneSchema: Schema = {
  name: 'standalone',
  entities: [],
  migrations: [CreateParkedMessages1700000000000, ParkedMessagesAsText1700000007000],
};

interface Row {
  queue: string;
  id: string;
  reason: string;
  message: string;
  parked_at: Date;
}

/**
 * Keeps what handlers gave up on as rows, where RabbitMQ keeps it in `.parked` queues (architecture.md §3). It takes whatever comes: parking is tried until
 * it succeeds, so a message that the database refuses would be tried for ever.
 */
export class ParkedMessagesRepository implements ParkedStore {
  constructor(private readonly database: DataSource) {}

  async park(message: Message, queue: string, reason: string): Promise<void> {
    await this.database.query(
      `insert into standalone.parked_messages (queue, id, reason, message) values ($1, $2, $3, $4)
       on conflict (queue, id) do update set reason = excluded.reason, message = excluded.message, parked_at = now()`,
      [queue, storable(message.id), storable(reason), JSON.stringify(message)],
    );
  }

  async count(queue: string): Promise<number> {
    const [row] = (await this.database.query(
      'select count(*)::int as count from standalone.parked_messages where queue = $1',
      [queue],
    )) as { count: number }[];
    return row?.count ?? 0;
  }

  async list(queue: string, limit: number, offset: number): Promise<ParkedMessage[]> {
    const rows: Row[] = await this.database.query(
      'select * from standalone.parked_messages where queue = $1 order by parked_at, id limit $2 offset $3',
      [queue, limit, offset],
    );
    return rows.map(toParked);
  }

  async find(queue: string, id: string): Promise<ParkedMessage | undefined> {
    const rows: Row[] = await this.database.query(
      'select * from standalone.parked_messages where queue = $1 and id = $2',
      [queue, storable(id)],
    );
    return rows.map(toParked)[0];
  }

  async drop(queue: string, id: string): Promise<boolean> {
    const [, count] = (await this.database.query(
      'delete from standalone.parked_messages where queue = $1 and id = $2',
      [queue, storable(id)],
    )) as [unknown, number];
    return count > 0;
  }
}

function toParked({ queue, id, reason, message, parked_at }: Row): ParkedMessage {
  return { queue, id, reason, parkedAt: parked_at.toISOString(), messages: [JSON.parse(message) as Message] };
}

/** No text in PostgreSQL holds a NUL. JSON has it escaped. */
function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD');
}
