import { TriggerTokenRevoked } from '#libs/contracts';
import type { Outbox } from '#libs/persistence';
import type { Logger } from 'pino';

const hourMs = 3_600_000;
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

/**
 * Purges at once and then every hour.
 * @returns stops it and waits for a purge that is under way
 */
export function purgeHourly(outbox: Outbox, log: Logger): () => Promise<void> {
  let purging = Promise.resolve();
  const purge = () => {
    purging = purging
      .then(() => purgeExpiredTriggers(outbox))
      .then((purged) => {
        if (purged > 0) log.info({ purged }, 'trigger tokens that expired long ago were deleted');
      })
      .catch((error: unknown) => log.warn({ err: error }, 'expired trigger tokens could not be purged'));
  };
  purge();
  const timer = setInterval(purge, hourMs).unref();
  return async () => {
    clearInterval(timer);
    await purging;
  };
}
