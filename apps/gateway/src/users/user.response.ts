import { ApiProperty } from '@nestjs/swagger';
import type { AccountFacts, LongUserFacts, UserFacts } from '#libs/contracts';

/** The user object that hangs on triggers, pipelines and members (trigger-api.md §2.1). */
export class ShortUserResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty() username!: string;
  @ApiProperty() name!: string;
  @ApiProperty({ enum: ['active', 'blocked'] }) state!: 'active' | 'blocked';
  @ApiProperty() locked!: boolean;
  @ApiProperty({ type: 'string', nullable: true }) avatar_url!: string | null;
  @ApiProperty({ example: 'https://ci.example.com/ada' }) web_url!: string;
}

/** The user object of jobs and of `GET /users/:id` (trigger-api.md §4.6); most of it is not known here and empty, as GitLab shows it then. */
export class LongUserResponse extends ShortUserResponse {
  @ApiProperty({ type: 'string', format: 'date-time' }) created_at!: string;
  @ApiProperty() bio!: string;
  @ApiProperty({ type: 'string', nullable: true }) location!: string | null;
  @ApiProperty() skype!: string;
  @ApiProperty() linkedin!: string;
  @ApiProperty() twitter!: string;
  @ApiProperty() discord!: string;
  @ApiProperty() website_url!: string;
  @ApiProperty() github!: string;
  @ApiProperty() job_title!: string;
  @ApiProperty({ type: 'string', nullable: true }) pronouns!: string | null;
  @ApiProperty({ type: 'string', nullable: true }) organization!: string | null;
  @ApiProperty() bot!: boolean;
  @ApiProperty({ type: 'string', nullable: true }) work_information!: string | null;
  @ApiProperty({ type: 'string', nullable: true }) local_time!: string | null;
  @ApiProperty({ type: 'integer' }) followers!: number;
  @ApiProperty({ type: 'integer' }) following!: number;
  @ApiProperty() is_followed!: boolean;
}

/** A user as the user and administrators see it (trigger-api.md §5.1). */
export class AccountResponse extends LongUserResponse {
  @ApiProperty({ type: 'string', nullable: true }) email!: string | null;
  @ApiProperty({ type: 'integer' }) theme_id!: number;
  @ApiProperty({ type: 'integer' }) color_scheme_id!: number;
  @ApiProperty({ type: 'integer' }) projects_limit!: number;
  @ApiProperty({ type: 'array', items: { type: 'object' } }) identities!: object[];
  @ApiProperty() can_create_group!: boolean;
  @ApiProperty() can_create_project!: boolean;
  @ApiProperty() two_factor_enabled!: boolean;
  @ApiProperty() external!: boolean;
  @ApiProperty() private_profile!: boolean;
  @ApiProperty({ type: 'string', nullable: true }) commit_email!: string | null;
  @ApiProperty({ required: false, description: 'For administrators only' }) is_admin?: boolean;
}

/** @param externalUrl without a slash at the end; python-gitlab compares it with the beginning of `web_url` */
export function presentUser({ id, username, name, state }: UserFacts, externalUrl: string): ShortUserResponse {
  return { id, username, name, state, locked: false, avatar_url: null, web_url: `${externalUrl}/${username}` };
}

export function presentLongUser(user: LongUserFacts, externalUrl: string): LongUserResponse {
  return {
    ...presentUser(user, externalUrl),
    created_at: user.createdAt,
    bio: '',
    location: null,
    skype: '',
    linkedin: '',
    twitter: '',
    discord: '',
    website_url: '',
    github: '',
    job_title: '',
    pronouns: null,
    organization: null,
    bot: false,
    work_information: null,
    local_time: null,
    followers: 0,
    following: 0,
    is_followed: false,
  };
}

/** @param toAdministrator adds `is_admin`, which nobody else is told */
export function presentAccount(user: AccountFacts, externalUrl: string, toAdministrator: boolean): AccountResponse {
  return {
    ...presentLongUser(user, externalUrl),
    email: user.email,
    theme_id: 1,
    color_scheme_id: 1,
    projects_limit: 100_000,
    identities: [],
    can_create_group: user.admin,
    can_create_project: true,
    two_factor_enabled: false,
    external: false,
    private_profile: false,
    commit_email: user.email,
    ...(toAdministrator ? { is_admin: user.admin } : {}),
  };
}
