import { AccessLevel, type Actor, type TriggerFacts } from '#libs/contracts';
import { userFacts } from '../users/user.facts.js';
import type { Trigger } from './trigger.entity.js';

/** What this actor may know about a trigger token: the sealed token only as its owner and a Maintainer (trigger-api.md §2.1). */
export function triggerFacts(trigger: Trigger, actor: Actor): TriggerFacts {
  return {
    id: trigger.id,
    projectId: trigger.projectId,
    description: trigger.description,
    shortToken: trigger.shortToken,
    sealedToken: ownsAsMaintainer(trigger, actor) ? trigger.sealedToken : null,
    createdAt: trigger.createdAt.toISOString(),
    updatedAt: trigger.updatedAt.toISOString(),
    lastUsed: trigger.lastUsed?.toISOString() ?? null,
    expiresAt: trigger.expiresAt?.toISOString() ?? null,
    owner: userFacts(trigger.owner),
  };
}

/** Owners may see and describe their tokens for as long as they are Maintainers; being an administrator is not enough. */
export function ownsAsMaintainer(trigger: Pick<Trigger, 'owner'>, actor: Actor): boolean {
  return trigger.owner.id === actor.id && actor.accessLevel >= AccessLevel.Maintainer;
}
