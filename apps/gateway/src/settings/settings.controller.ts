import { Controller, Get, Put } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { EditSettings, type SettingsFacts, ShowSettings } from '#libs/contracts';
import { Needs } from '../access/needs.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { BooleanParameter, IntegerParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';

class SettingsResponse {
  @ApiProperty({
    type: 'integer',
    description: 'Pipelines per minute for one project, user and commit; 0 for any number',
  })
  pipeline_limit_per_project_user_sha!: number;

  @ApiProperty({ type: 'integer', description: 'Calls per minute that list jobs of a project; 0 for any number' })
  project_jobs_api_rate_limit!: number;

  @ApiProperty({ description: 'Whether runners may make themselves known with a registration token' })
  allow_runner_registration_token!: boolean;
}

/** What an integer column holds. */
const most = 2_147_483_647;

class SettingsChange {
  @IntegerParameter({ minimum: 0, maximum: most }) pipeline_limit_per_project_user_sha?: number | null;
  @IntegerParameter({ minimum: 0, maximum: most }) project_jobs_api_rate_limit?: number | null;
  @BooleanParameter() allow_runner_registration_token?: boolean | null;
}

/** What administrators set for the whole installation (architecture.md §4). */
@Controller('application/settings')
@Needs('administrator')
export class SettingsController {
  constructor(private readonly services: Services) {}

  @Get()
  @Endpoint({ summary: 'Show the settings of the installation', returns: SettingsResponse, errors: [401, 403] })
  async show(): Promise<SettingsResponse> {
    return present(await this.services.ask(ShowSettings, {}));
  }

  @Put()
  @Endpoint({ summary: 'Change the settings of the installation', returns: SettingsResponse, errors: [401, 403] })
  async edit(@Parameters(SettingsChange) change: SettingsChange): Promise<SettingsResponse> {
    const facts = await this.services.ask(EditSettings, {
      pipelineLimitPerProjectUserSha: change.pipeline_limit_per_project_user_sha ?? undefined,
      projectJobsApiRateLimit: change.project_jobs_api_rate_limit ?? undefined,
      allowRunnerRegistrationToken: change.allow_runner_registration_token ?? undefined,
    });
    return present(facts);
  }
}

function present(facts: SettingsFacts): SettingsResponse {
  return {
    pipeline_limit_per_project_user_sha: facts.pipelineLimitPerProjectUserSha,
    project_jobs_api_rate_limit: facts.projectJobsApiRateLimit,
    allow_runner_registration_token: facts.allowRunnerRegistrationToken,
  };
}
