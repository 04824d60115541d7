import { type AccountFacts, UserChanged, type UserFacts } from '#libs/contracts';
import type { User } from './user.entity.js';

/** What anyone may know about a user. */
export function userFacts({ id, username, name, state }: User): UserFacts {
  return { id, username, name, state };
}

/** What the user and administrators may know. */
export function accountFacts(user: User): AccountFacts {
  return { ...userFacts(user), email: user.email, admin: user.admin, createdAt: user.createdAt.toISOString() };
}

/** The event that tells how a user is now, in the shape that an outbox says. */
export function userChanged(user: User, state: UserChanged['state'] = user.state): [typeof UserChanged, UserChanged] {
  const { id, username, name, email, admin, createdAt } = user;
  return [UserChanged, { userId: id, username, name, email, state, admin, createdAt: createdAt.toISOString() }];
}
