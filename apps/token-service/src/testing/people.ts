import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  type AccessLevel,
  type AccountFacts,
  type Actor,
  AddMember,
  CreateTrigger,
  CreateUser,
  MakeOwner,
} from '#libs/contracts';
import type { RunningTokenService } from './token-service.js';

/** The hash of a secret as the gateway would send it. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function newUser(service: RunningTokenService, username: string, admin = false): Promise<AccountFacts> {
  const fields = {
    requestId: randomUUID(),
    username,
    name: `The ${username}`,
    email: `${username}@example.com`,
    admin,
  };
  return service.ask(CreateUser, fields);
}

/** The user as seen by the gateway on a project. */
export function as(user: AccountFacts, accessLevel: number): Actor {
  const { id, username, name, email, state, admin, createdAt } = user;
  return { id, username, name, email, state, admin, createdAt, accessLevel };
}

/** Makes the user a member, whatever it takes. */
export async function join(
  service: RunningTokenService,
  projectId: number,
  user: AccountFacts,
  accessLevel: AccessLevel,
): Promise<void> {
  if (accessLevel === 50) await service.ask(MakeOwner, { projectId, userId: user.id });
  else {
    const actor = as(user, 50);
    await service.ask(AddMember, { requestId: randomUUID(), projectId, actor, userId: user.id, accessLevel });
  }
}

/** A trigger token as the gateway adds it; `secret` is what callers would send. */
export async function newTrigger(
  service: RunningTokenService,
  projectId: number,
  owner: Actor,
  more: Partial<Pick<CreateTrigger, 'description' | 'expiresAt' | 'sealedToken' | 'requestId'>> = {},
) {
  const secret = `glptt-${randomBytes(20).toString('hex')}`;
  const facts = await service.ask(CreateTrigger, {
    requestId: randomUUID(),
    projectId,
    actor: owner,
    description: 'nightly',
    tokenHash: hashOf(secret),
    shortToken: secret.slice(6, 10),
    ...more,
  });
  return { ...facts, secret };
}
