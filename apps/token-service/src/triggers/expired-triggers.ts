import { TriggerTokenRevoked } from '#libs/contracts';
import type { Outbox } from '#libs/persistence';

/** Expired tokens stay listed for this long (trigger-api.md §2.5). */
const keptDays = 30;
const atATime = 1_000;

/**
 * Deletes trigger tokens 30 days after they expired, a thousand at a time. Replicas may do it at once: each takes tokens that no other has.
 * @returns how many there were
 */
export async function purgeExpiredTriggers(outbox: Outbox): Promise<number> {
  for (let purged = 0; ;) {
    const found = await outbox.transaction(async (manager, say) => {
      const [rows]: [{ id: number; project_id: number }[], number] = await manager.query(
        `delete from tokens.triggers where id in (
           select id from tokens.triggers where expires_at < now() - make_interval(days => $1)
            order by expires_at limit $2 for update skip locked)
         returning id, project_id`,
        [keptDays, atATime],
      );
      for (const { id, project_id } of rows) say(TriggerTokenRevoked, { triggerId: id, projectId: project_id });
      return rows.length;
    });
    purged += found;
    if (found < atATime) return purged;
  }
}
