import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { UserChanged } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { DataSource } from 'typeorm';

/** Pipelines show who started them: names are kept as the token service tells them. */
@Controller()
export class UsersHandler {
  constructor(private readonly database: DataSource) {}

  @EventPattern(UserChanged.type)
  async change(@Payload() { time, data }: Message<UserChanged>): Promise<void> {
    // Events may overtake each other; the newest counts. A deleted user's pipelines stay and show the last name.
    await this.database.query(
      `insert into pipelines.users (id, username, name, email, state, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (id) do update set username = excluded.username, name = excluded.name, email = excluded.email, state = excluded.state,
         updated_at = excluded.updated_at where pipelines.users.updated_at <= excluded.updated_at`,
      [
        data.userId,
        data.username,
        data.name,
        data.email ?? null,
        data.state === 'active' ? 'active' : 'blocked',
        data.createdAt,
        time,
      ],
    );
  }
}
