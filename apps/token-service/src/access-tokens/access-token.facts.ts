import type { AccessTokenFacts } from '#libs/contracts';
import type { AccessToken } from './access-token.entity.js';

/** What is told about an access token; its characters never are. */
export function accessTokenFacts(token: AccessToken, now: Date): AccessTokenFacts {
  const { id, userId, name, description, scopes, revoked, expiresAt } = token;
  return {
    id,
    userId,
    name,
    description,
    scopes,
    createdAt: token.createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString().slice(0, 10) ?? null,
    revoked,
    active: !revoked && (!expiresAt || expiresAt > now),
  };
}
