import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { AccessCredential } from '../access/access-tokens.js';
import { hashSecret } from '../access/secrets.js';
import { SharedRead } from '../access/shared-read.js';

/** A session together with what its access token is good for at this moment. */
export interface SessionCredential extends AccessCredential {
  session_id: number;
  session_expires_at: Date;
  /** When `last_used_at` was last written is long enough ago. */
  stale: boolean;
}

/** What people are told about one of their sessions. */
export interface SessionFacts {
  id: number;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  userAgent: string | null;
}

const dayMs = 86_400_000;
/** After this somebody signs in again, whatever they did meanwhile; sooner where the access token ends sooner. */
const longestDays = 30;
const idleDays = 7;
/** Of one user; beyond it those go that were not used for longest. */
const mostSessions = 100;
/** `last_used_at` is for people: to the minute will do, and reading stays reading. */
const touchSeconds = 60;
const longestUserAgent = 255;

const isGood = `s.expires_at > now() and s.last_used_at > now() - make_interval(days => ${idleDays})
  and not c.revoked and c.state = 'active' and (c.expires_at is null or c.expires_at > now())`;

/**
 * Sessions of people at the pages. One is as good as the access token that began it, of which each request reads anew what it is good for;
 * so it ends with the token on all replicas at once. Only the hash of its secret is stored.
 */
@Injectable()
export class Sessions {
  readonly #database: DataSource;
  readonly #byHash = new SharedRead<string, SessionCredential>((hashes) => this.#read(hashes));

  constructor(database: DataSource) {
    this.#database = database;
  }

  /** @returns undefined for a session that is unknown or over, or whose access token is no good any more */
  async find(secret: string): Promise<SessionCredential | undefined> {
    const session = await this.#byHash.get(hashSecret(secret).toString('hex'));
    // Nobody waits for it, and one that fails is made up for by the next request.
    if (session?.stale) void this.#touch(session.session_id).catch(() => undefined);
    return session;
  }

  /**
   * @param credential of the access token, checked already
   * @returns the secret, which is nowhere else, and when the session ends
   */
  async begin(
    credential: Pick<AccessCredential, 'token_id' | 'user_id' | 'expires_at'>,
    userAgent: string | undefined,
    now: Date,
  ): Promise<{ secret: string; expiresAt: Date }> {
    const secret = randomBytes(32).toString('base64url');
    const end = now.getTime() + longestDays * dayMs;
    const expiresAt = new Date(Math.min(end, credential.expires_at?.getTime() ?? end));
    await this.#database.query(
      `insert into gateway.sessions (secret_hash, access_token_id, user_id, user_agent, created_at, last_used_at, expires_at)
         values ($1, $2, $3, $4, $5, $5, $6)`,
      [
        hashSecret(secret),
        credential.token_id,
        credential.user_id,
        userAgent?.slice(0, longestUserAgent) ?? null,
        now,
        expiresAt,
      ],
    );
    await this.#database.query(
      `delete from gateway.sessions where id in
         (select id from gateway.sessions where user_id = $1 order by last_used_at desc, id desc offset ${mostSessions})`,
      [credential.user_id],
    );
    return { secret, expiresAt };
  }

  /** A user's sessions that are good, the newest first. */
  async ofUser(userId: number): Promise<SessionFacts[]> {
    return this.#database.query(
      `select s.id, s.created_at as "createdAt", s.last_used_at as "lastUsedAt", s.expires_at as "expiresAt", s.user_agent as "userAgent"
         from gateway.sessions s join tokens.access_credentials c on c.token_id = s.access_token_id
         where s.user_id = $1 and ${isGood} order by s.id desc`,
      [userId],
    );
  }

  /**
   * Ends a session of a user.
   * @returns false when there is none of this number
   */
  async end(userId: number, id: number): Promise<boolean> {
    const [rows] = (await this.#database.query(
      'delete from gateway.sessions where id = $1 and user_id = $2 returning id',
      [id, userId],
    )) as [unknown[], number];
    return rows.length > 0;
  }

  /**
   * Ends all sessions of a user.
   * @param but the number of one that goes on; undefined for none
   */
  async endAll(userId: number, but?: number): Promise<void> {
    await this.#database.query('delete from gateway.sessions where user_id = $1 and id is distinct from $2', [
      userId,
      but ?? null,
    ]);
  }

  /** Forgets those that will never be good again. */
  async purge(): Promise<void> {
    await this.#database.query(
      `delete from gateway.sessions s
         where s.expires_at <= now() or s.last_used_at <= now() - make_interval(days => ${idleDays})
           or not exists (select from tokens.access_credentials c where c.token_id = s.access_token_id and not c.revoked)`,
    );
  }

  async #touch(id: number): Promise<void> {
    await this.#database.query('update gateway.sessions set last_used_at = now() where id = $1', [id]);
  }

  async #read(hashes: string[]): Promise<ReadonlyMap<string, SessionCredential>> {
    const rows: SessionCredential[] = await this.#database.query(
      `select encode(s.secret_hash, 'hex') as hash, s.id as session_id, s.expires_at as session_expires_at,
              s.last_used_at < now() - make_interval(secs => ${touchSeconds}) as stale,
              c.token_id, c.scopes, c.expires_at, c.revoked, c.user_id, c.username, c.name, c.email, c.state, c.admin,
              c.user_created_at, c.memberships
         from gateway.sessions s join tokens.access_credentials c on c.token_id = s.access_token_id
         where s.secret_hash = any($1::bytea[]) and ${isGood}`,
      [hashes.map((hash) => Buffer.from(hash, 'hex'))],
    );
    return new Map(rows.map((row) => [row.hash, row]));
  }
}
