import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EnsureRoot } from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import type { EntityManager } from 'typeorm';
import { User } from '../users/user.entity.js';
import { userChanged } from '../users/user.facts.js';

const username = 'root';

/** The first administrator, for whom ROOT_TOKEN stands (architecture.md §4). */
@Controller()
export class RootHandler {
  constructor(private readonly outbox: Outbox) {}

  /**
   * Whoever starts the gateway can always come in: root is made an active administrator again and its token valid, whatever has happened
   * to them since. Gateways that start at the same moment queue at root's row.
   */
  @MessagePattern(EnsureRoot.pattern)
  ensure(@Payload() { tokenHash, visible }: EnsureRoot): Promise<{ userId: number; username: string }> {
    return this.outbox.transaction(async (manager, say) => {
      const { root, changed } = await ensureAdministrator(manager);
      if (changed) say(...userChanged(root));
      await manager.query(`delete from tokens.access_tokens where root and token_hash <> decode($1, 'hex')`, [
        tokenHash,
      ]);
      await manager.query(
        `insert into tokens.access_tokens (user_id, name, scopes, token_hash, visible, root)
         values ($1, 'root token', '{api}', decode($2, 'hex'), $3, true)
         on conflict (token_hash) do update
           set user_id = excluded.user_id, scopes = excluded.scopes, root = true, revoked = false, expires_at = null`,
        [root.id, tokenHash, visible],
      );
      return { userId: root.id, username: root.username };
    });
  }
}

async function ensureAdministrator(manager: EntityManager): Promise<{ root: User; changed: boolean }> {
  const [added] = await manager.query(
    `insert into tokens.users (username, name, admin) values ($1, 'Administrator', true) on conflict do nothing returning id`,
    [username],
  );
  const root = await manager
    .createQueryBuilder(User, 'users')
    .where('lower(username) = :username', { username })
    .setLock('pessimistic_write')
    .getOneOrFail();
  if (root.admin && root.state === 'active') return { root, changed: Boolean(added) };
  const restored = { admin: true, state: 'active' as const };
  await manager.update(User, { id: root.id }, restored);
  return { root: Object.assign(root, restored), changed: true };
}
