import type { Schema } from '#libs/persistence';
import { AccessToken } from '../access-tokens/access-token.entity.js';
import { Member } from '../members/member.entity.js';
import { Trigger } from '../triggers/trigger.entity.js';
import { User } from '../users/user.entity.js';
import { UsersAndTokens1700000003000 } from './1700000003000-users-and-tokens.js';
import { LatestAfterDeletion1700000007000 } from './1700000007000-latest-after-deletion.js';

/** The token service's part of the database; the gateway may read its two views and nothing else of it. */
export const tokensSchema: Schema = {
  name: 'tokens',
  entities: [User, AccessToken, Member, Trigger],
  migrations: [UsersAndTokens1700000003000, LatestAfterDeletion1700000007000],
};
