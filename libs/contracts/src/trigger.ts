import { IsArray, IsInt, IsISO8601, IsOptional, IsString, IsUUID, Length } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { IsSecretHash } from './secret-hash.js';
import { Actor, type UserFacts } from './user.js';

/** What is told about a trigger token; times are ISO 8601 in UTC with milliseconds. */
export interface TriggerFacts {
  id: number;
  projectId: number;
  description: string | null;
  /** The four characters after the prefix (trigger-api.md §2.3). */
  shortToken: string;
  /** The full token as the gateway sealed it: told to its owner who is still a Maintainer, null for everyone else. */
  sealedToken: string | null;
  createdAt: string;
  updatedAt: string;
  lastUsed: string | null;
  expiresAt: string | null;
  owner: UserFacts;
}

/** Adds a trigger token that the gateway has made. The same `requestId` adds it once. */
export class CreateTrigger extends Request<TriggerFacts> {
  static readonly pattern = 'trigger-token.create';

  @IsUUID() requestId!: string;
  @IsInt() projectId!: number;
  /** Becomes the owner. */
  @Nested(() => Actor) actor!: Actor;
  @IsString() description!: string;
  @IsOptional() @IsISO8601() expiresAt?: string | null;
  @IsSecretHash() tokenHash!: string;
  @Length(4, 4) shortToken!: string;
  @IsOptional() @IsString() sealedToken?: string | null;
}

/** A project's trigger tokens, the oldest first. */
export class ListTriggers extends PageRequest<TriggerFacts> {
  static readonly pattern = 'trigger-token.list';

  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
}

/** One trigger token of a project; refused with 404 when it has none of this id. */
export class ShowTrigger extends Request<TriggerFacts> {
  static readonly pattern = 'trigger-token.show';

  @IsInt() projectId!: number;
  @IsInt() triggerId!: number;
  @Nested(() => Actor) actor!: Actor;
}

/** What a list that names triggers and users by their ids can tell of them. */
export interface CallerNames {
  triggers: Pick<TriggerFacts, 'id' | 'shortToken' | 'description'>[];
  users: UserFacts[];
}

/** Names for the callers of a project's trigger requests; triggers of other projects, and whatever is gone, are left out. */
export class NameCallers extends Request<CallerNames> {
  static readonly pattern = 'trigger-token.name-callers';

  @IsInt() projectId!: number;
  @IsArray() @IsInt({ each: true }) triggerIds!: number[];
  @IsArray() @IsInt({ each: true }) userIds!: number[];
}

/** Gives a trigger token another description, or none; only for its owner (trigger-api.md §2.2). */
export class UpdateTrigger extends Request<TriggerFacts> {
  static readonly pattern = 'trigger-token.update';

  @IsInt() projectId!: number;
  @IsInt() triggerId!: number;
  @Nested(() => Actor) actor!: Actor;
  @IsOptional() @IsString() description!: string | null;
}

/** Revokes a trigger token. Once this is answered, no gateway accepts it. */
export class DeleteTrigger extends Request<null> {
  static readonly pattern = 'trigger-token.delete';

  @IsInt() projectId!: number;
  @IsInt() triggerId!: number;
  /** Refused with 412 when the token was changed after this time (milliseconds count). */
  @IsOptional() @IsISO8601() unmodifiedSince?: string | null;
}

/** `trigger-token.added.v1`: a trigger and its token were made. */
export class TriggerTokenAdded {
  static readonly type = 'trigger-token.added.v1';
  /** For pages that watch; the tokens themselves are in the database. */
  static readonly lossy = true;

  @IsInt() triggerId!: number;
  @IsInt() projectId!: number;
  @IsInt() ownerId!: number;
}

/** `trigger-token.revoked.v1`: deleted by someone, purged after it expired, or gone with its owner. */
export class TriggerTokenRevoked {
  static readonly type = 'trigger-token.revoked.v1';
  /** For pages that watch; the tokens themselves are in the database. */
  static readonly lossy = true;

  @IsInt() triggerId!: number;
  @IsInt() projectId!: number;
}
