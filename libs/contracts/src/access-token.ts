import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString, IsUUID, Matches } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { IsSecretHash } from './secret-hash.js';
import { Actor } from './user.js';

/** What an access token may do: everything, GET and HEAD only (trigger-api.md §3.1), or no more than find out who it belongs to. */
export const accessTokenScopes = ['api', 'read_api', 'read_user'] as const;
export type AccessTokenScope = (typeof accessTokenScopes)[number];

/** What is told about a personal access token. */
export interface AccessTokenFacts {
  id: number;
  userId: number;
  name: string;
  description: string | null;
  scopes: AccessTokenScope[];
  createdAt: string;
  /** The day, in UTC, from whose beginning it is refused: `YYYY-MM-DD`; null for never. */
  expiresAt: string | null;
  revoked: boolean;
  /** Neither revoked nor expired. */
  active: boolean;
}

/** Adds an access token that the gateway has made. The same `requestId` adds it once. */
export class CreateAccessToken extends Request<AccessTokenFacts> {
  static readonly pattern = 'access-token.create';

  @IsUUID() requestId!: string;
  @IsInt() userId!: number;
  @IsString() name!: string;
  @IsOptional() @IsString() description?: string | null;
  @IsArray() @IsIn(accessTokenScopes, { each: true }) scopes!: AccessTokenScope[];
  @IsOptional() @Matches(/^\d{4}-\d\d-\d\d$/) expiresAt?: string | null;
  @IsSecretHash() tokenHash!: string;
  /** The characters by which people recognise it. */
  @IsString() visible!: string;
}

/** Access tokens, the newest first; administrators see everyone's, others their own. */
export class ListAccessTokens extends PageRequest<AccessTokenFacts> {
  static readonly pattern = 'access-token.list';

  @Nested(() => Actor) actor!: Actor;
  @IsOptional() @IsInt() userId?: number | null;
  @IsOptional() @IsBoolean() revoked?: boolean | null;
  @IsOptional() @IsIn(['active', 'inactive']) state?: 'active' | 'inactive' | null;
  /** Part of the name. */
  @IsOptional() @IsString() search?: string | null;
}

/** One access token of the actor, or, for administrators, of anyone. */
export class ShowAccessToken extends Request<AccessTokenFacts> {
  static readonly pattern = 'access-token.show';

  @Nested(() => Actor) actor!: Actor;
  @IsInt() tokenId!: number;
}

/** Revokes an access token of the actor, or, for administrators, of anyone. Once this is answered, no gateway accepts it. */
export class RevokeAccessToken extends Request<null> {
  static readonly pattern = 'access-token.revoke';

  @Nested(() => Actor) actor!: Actor;
  @IsInt() tokenId!: number;
}

/**
 * Makes the first administrator, `root`, and lets exactly this root token stand for it: said by every gateway at every start from ROOT_TOKEN.
 * It may be said by many at once and again and again; an older root token ends with it.
 */
export class EnsureRoot extends Request<{ userId: number; username: string }> {
  static readonly pattern = 'root.ensure';

  @IsSecretHash() tokenHash!: string;
  @IsString() visible!: string;
}
