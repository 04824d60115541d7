import { IsBoolean, IsInt, IsOptional, IsString } from 'class-validator';
import { Request } from './request.js';

/** What is told about a user wherever one is shown. */
export interface UserFacts {
  id: number;
  username: string;
  name: string;
  state: 'active' | 'blocked';
}

/** What is told about a user beside a job, and wherever the user is what was asked for. */
export interface LongUserFacts extends UserFacts {
  createdAt: string;
}

/**
 * Who asks: read from the credentials by the gateway and trusted by the services. `accessLevel` is the one on the project in question,
 * 0 for none; an administrator counts as Owner.
 */
export class Actor {
  @IsInt() id!: number;
  @IsString() username!: string;
  @IsString() name!: string;
  @IsOptional() @IsString() email?: string | null;
  @IsString() state!: 'active' | 'blocked';
  @IsBoolean() admin!: boolean;
  @IsString() createdAt!: string;
  @IsInt() accessLevel!: number;
}

/** A user with the level that counts on a project, for whoever acts for the user without an access token; null when there is no such user. */
export class ShowActor extends Request<Actor | null> {
  static readonly pattern = 'user.show-actor';

  @IsInt() userId!: number;
  @IsInt() projectId!: number;
}
