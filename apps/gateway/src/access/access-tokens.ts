import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { insufficientScope, tokenExpired, tokenRevoked, unauthorized, userBlocked } from '#libs/contracts';
import { hashSecret } from './secrets.js';
import { SharedRead } from './shared-read.js';
import type { UserViewer } from './viewer.js';

/** A row of `tokens.access_credentials`. */
export interface AccessCredential {
  hash: string;
  token_id: number;
  scopes: string[];
  expires_at: Date | null;
  revoked: boolean;
  user_id: number;
  username: string;
  name: string;
  email: string | null;
  state: 'active' | 'blocked';
  admin: boolean;
  user_created_at: Date;
  memberships: Record<string, number> | null;
}

/** Reads the token service's published view; see architecture.md §1. Never cached, so that a revocation holds at once. */
@Injectable()
export class AccessTokens {
  readonly #database: DataSource;
  readonly #byHash = new SharedRead<string, AccessCredential>((hashes) => this.#read(hashes));

  constructor(database: DataSource) {
    this.#database = database;
  }

  /** @returns what is stored under a token, good or not; undefined when it is unknown */
  find(token: string): Promise<AccessCredential | undefined> {
    return this.#byHash.get(hashSecret(token).toString('hex'));
  }

  async #read(hashes: string[]): Promise<ReadonlyMap<string, AccessCredential>> {
    const rows: AccessCredential[] = await this.#database.query(
      `select encode(token_hash, 'hex') as hash, token_id, scopes, expires_at, revoked, user_id, username, name, email, state, admin,
              user_created_at, memberships
         from tokens.access_credentials where token_hash = any($1::bytea[])`,
      [hashes.map((hash) => Buffer.from(hash, 'hex'))],
    );
    return new Map(rows.map((row) => [row.hash, row]));
  }
}

/**
 * Who stands behind an access token.
 *
 * @param reading GET and HEAD, for which `read_api` suffices
 * @param furtherScopes others that suffice at this endpoint
 * @throws Refusal 401 or 403 as trigger-api.md §3.2 says, in GitLab's order: expired, revoked, scope, blocked
 */
export function userBehind(
  credential: AccessCredential | undefined,
  now: Date,
  reading: boolean,
  furtherScopes: readonly string[] = [],
): UserViewer {
  if (!credential) throw unauthorized();
  if (credential.expires_at && credential.expires_at <= now) throw tokenExpired();
  if (credential.revoked) throw tokenRevoked();
  const sufficient = ['api', ...(reading ? ['read_api'] : []), ...furtherScopes];
  if (!credential.scopes.some((scope) => sufficient.includes(scope))) throw insufficientScope(sufficient);
  if (credential.state === 'blocked') throw userBlocked();
  return {
    kind: 'user',
    id: Number(credential.user_id),
    username: credential.username,
    name: credential.name,
    email: credential.email,
    admin: credential.admin,
    createdAt: credential.user_created_at,
    tokenId: Number(credential.token_id),
    scopes: credential.scopes,
    memberships: credential.memberships ?? {},
    level: 0,
  };
}
