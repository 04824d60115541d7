import { AccessLevel, type Actor, forbidden } from '#libs/contracts';
import { protectedRef, type ProtectionRules } from '../protected-refs/protected-ref.js';

/** The ref of a pipeline, as far as it says who may give orders about it. */
export interface OrderedRef {
  ref: string;
  tag: boolean;
  protection: ProtectionRules;
}

/**
 * Whoever starts, stops or repeats jobs of a protected ref must be allowed to push to it (trigger-api.md §3.3).
 * @throws Refusal 403
 */
export function checkMayRun({ ref, tag, protection }: OrderedRef, actor: Actor): void {
  if (!protectedRef(protection, tag ? 'tag' : 'branch', ref).allowed(actor.accessLevel, actor.admin)) throw forbidden();
}

/** Variables hold what callers wrote in them: Maintainers read them, Developers those of pipelines they started (trigger-api.md §3.3). */
export function mayReadVariables(actor: Actor, startedBy: number | null): boolean {
  return (
    actor.accessLevel >= AccessLevel.Maintainer ||
    (actor.accessLevel >= AccessLevel.Developer && actor.id === startedBy)
  );
}

/** A Developer erases what they started, a Maintainer everything. */
export function mayErase(actor: Actor, startedBy: number | null): boolean {
  return mayReadVariables(actor, startedBy);
}
