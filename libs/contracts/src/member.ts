import { IsArray, IsIn, IsInt, IsOptional, IsString, IsUUID, Matches } from 'class-validator';
import { Nested } from './nested.decorator.js';
import { PageRequest } from './page.js';
import { Request } from './request.js';
import { Actor, type UserFacts } from './user.js';
import { type AccessLevel, memberLevels } from './words.js';

/** What is told about a member of a project. */
export interface MemberFacts {
  projectId: number;
  user: UserFacts;
  accessLevel: AccessLevel;
  createdAt: string;
  createdBy: UserFacts | null;
  /** The day, in UTC, from whose beginning the user is no member any more: `YYYY-MM-DD`; null for never. */
  expiresAt: string | null;
}

/** Adds a member, named by id or by username. The same `requestId` adds it once; a user who is one already is refused with 409. */
export class AddMember extends Request<MemberFacts> {
  static readonly pattern = 'member.add';

  @IsUUID() requestId!: string;
  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
  @IsOptional() @IsInt() userId?: number | null;
  @IsOptional() @IsString() username?: string | null;
  @IsIn(memberLevels) accessLevel!: AccessLevel;
  @IsOptional() @Matches(/^\d{4}-\d\d-\d\d$/) expiresAt?: string | null;
}

/**
 * Makes a user an Owner of a project, whatever they were there before: the second step of a project's creation, which a sweeper may take
 * again (architecture.md §3). Refused with 404 when the user is gone.
 */
export class MakeOwner extends Request<MemberFacts> {
  static readonly pattern = 'member.make-owner';

  @IsInt() projectId!: number;
  @IsInt() userId!: number;
}

/** Gives a member another level and, where it is named, another end. */
export class EditMember extends Request<MemberFacts> {
  static readonly pattern = 'member.edit';

  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
  @IsInt() userId!: number;
  @IsIn(memberLevels) accessLevel!: AccessLevel;
  /** Left out: stays as it is; null: never ends. */
  @IsOptional() @Matches(/^\d{4}-\d\d-\d\d$/) expiresAt?: string | null;
}

/** Takes a member out of a project; anyone may leave. */
export class RemoveMember extends Request<null> {
  static readonly pattern = 'member.remove';

  @IsInt() projectId!: number;
  @Nested(() => Actor) actor!: Actor;
  @IsInt() userId!: number;
}

/** One member of a project; refused with 404 when the user is none. */
export class ShowMember extends Request<MemberFacts> {
  static readonly pattern = 'member.show';

  @IsInt() projectId!: number;
  @IsInt() userId!: number;
}

/** A project's members by user id. */
export class ListMembers extends PageRequest<MemberFacts> {
  static readonly pattern = 'member.list';

  @IsInt() projectId!: number;
  /** Part of the name or username. */
  @IsOptional() @IsString() query?: string | null;
  @IsOptional() @IsArray() @IsInt({ each: true }) userIds?: number[] | null;
}
