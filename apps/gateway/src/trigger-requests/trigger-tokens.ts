import type { DataSource } from 'typeorm';
import { hashSecret } from '../access/secrets.js';
import { SharedRead } from '../access/shared-read.js';

/** A row of `tokens.trigger_credentials`: a trigger token, its owner, and the owner's rights as they are now. */
export interface TriggerCredential {
  hash: string;
  trigger_id: number;
  project_id: number;
  short_token: string;
  expires_at: Date | null;
  owner_id: number;
  owner_username: string;
  owner_name: string;
  owner_email: string | null;
  owner_state: 'active' | 'blocked';
  owner_admin: boolean;
  owner_created_at: Date;
  owner_access_level: number;
}

/** Reads the token service's published view, for every request anew: a revoked token is refused from the moment the revoke call returned. */
export class TriggerTokens {
  readonly #database: DataSource;
  readonly #byHash = new SharedRead<string, TriggerCredential>((hashes) => this.#read(hashes));

  constructor(database: DataSource) {
    this.#database = database;
  }

  /** @returns what is stored under a token, expired or not; undefined when it is unknown */
  find(token: string): Promise<TriggerCredential | undefined> {
    return this.#byHash.get(hashSecret(token).toString('hex'));
  }

  async #read(hashes: string[]): Promise<ReadonlyMap<string, TriggerCredential>> {
    const rows: TriggerCredential[] = await this.#database.query(
      `select encode(token_hash, 'hex') as hash, trigger_id, project_id, short_token, expires_at, owner_id, owner_username, owner_name,
              owner_email, owner_state, owner_admin, owner_created_at, owner_access_level
       from tokens.trigger_credentials where token_hash = any($1::bytea[])`,
      [hashes.map((hash) => Buffer.from(hash, 'hex'))],
    );
    return new Map(rows.map((row) => [row.hash, row]));
  }
}
