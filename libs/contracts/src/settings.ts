import { IsBoolean, IsInt, IsOptional, Max, Min } from 'class-validator';
import { Request } from './request.js';

/** What administrators set for the whole installation; a limit of 0 is none. */
export interface SettingsFacts {
  /** Pipelines per minute for one project, user and commit (trigger-api.md §1.9). */
  pipelineLimitPerProjectUserSha: number;
  /** Calls per minute that list a project's jobs. */
  projectJobsApiRateLimit: number;
  /** Whether runners may make themselves known with a registration token (runner-api.md §1.3). */
  allowRunnerRegistrationToken: boolean;
}

/** The settings of the installation. */
export class ShowSettings extends Request<SettingsFacts> {
  static readonly pattern = 'settings.show';
}

const most = 2_147_483_647;

/** Changes the settings that are given. */
export class EditSettings extends Request<SettingsFacts> {
  static readonly pattern = 'settings.edit';

  @IsOptional() @IsInt() @Min(0) @Max(most) pipelineLimitPerProjectUserSha?: number;
  @IsOptional() @IsInt() @Min(0) @Max(most) projectJobsApiRateLimit?: number;
  @IsOptional() @IsBoolean() allowRunnerRegistrationToken?: boolean;
}
