import { IsBoolean, IsIn, IsInt, IsOptional, IsString, IsUUID } from 'class-validator';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import type { LongUserFacts } from './user.js';

/** Everything that is told about a user to the user and to administrators. */
export interface AccountFacts extends LongUserFacts {
  email: string | null;
  admin: boolean;
}

/** Adds a user. The same `requestId` adds one; a name or address that is taken is refused with 409. */
export class CreateUser extends Request<AccountFacts> {
  static readonly pattern = 'user.create';

  @IsUUID() requestId!: string;
  @IsString() username!: string;
  @IsString() name!: string;
  @IsString() email!: string;
  @IsBoolean() admin!: boolean;
}

/** One user by id; refused with 404 when there is none. */
export class ShowUser extends Request<AccountFacts> {
  static readonly pattern = 'user.show';

  @IsInt() userId!: number;
}

/** Users, the newest first. */
export class ListUsers extends PageRequest<AccountFacts> {
  static readonly pattern = 'user.list';

  /** The whole username, in any case. */
  @IsOptional() @IsString() username?: string | null;
  /** Part of the name or username, or the whole address. */
  @IsOptional() @IsString() search?: string | null;
  @IsOptional() @IsIn(['active', 'blocked']) state?: 'active' | 'blocked' | null;
  @IsOptional() @IsBoolean() admins?: boolean | null;
}

/** Takes a user's rights away, or gives them back; their tokens and memberships stay. */
export class SetUserState extends Request<AccountFacts> {
  static readonly pattern = 'user.set-state';

  @IsInt() userId!: number;
  @IsIn(['active', 'blocked']) state!: 'active' | 'blocked';
}

/** Removes a user with all access tokens, memberships and trigger tokens (trigger-api.md §9.7). */
export class DeleteUser extends Request<null> {
  static readonly pattern = 'user.delete';

  @IsInt() userId!: number;
}

/** `user.changed.v1`: a user was added, changed, blocked, unblocked or deleted. */
export class UserChanged {
  static readonly type = 'user.changed.v1';

  @IsInt() userId!: number;
  @IsString() username!: string;
  @IsString() name!: string;
  @IsOptional() @IsString() email?: string | null;
  @IsIn(['active', 'blocked', 'deleted']) state!: 'active' | 'blocked' | 'deleted';
  @IsBoolean() admin!: boolean;
  @IsString() createdAt!: string;
}
