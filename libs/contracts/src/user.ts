import { IsBoolean, IsInt, IsOptional, IsString } from 'class-validator';

/** What is told about a user wherever one is shown. */
export interface UserFacts {
  id: number;
  username: string;
  name: string;
  state: 'active' | 'blocked';
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
  @IsInt() accessLevel!: number;
}
