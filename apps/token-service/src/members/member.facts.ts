import type { MemberFacts } from '#libs/contracts';
import { userFacts } from '../users/user.facts.js';
import type { Member } from './member.entity.js';

/** What is told about a member of a project. */
export function memberFacts({ projectId, user, accessLevel, createdAt, createdBy, expiresAt }: Member): MemberFacts {
  return {
    projectId,
    user: userFacts(user),
    accessLevel,
    createdAt: createdAt.toISOString(),
    createdBy: createdBy && userFacts(createdBy),
    expiresAt: expiresAt?.toISOString().slice(0, 10) ?? null,
  };
}
