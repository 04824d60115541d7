import { Controller, Get } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  type EnvironmentFacts,
  type EnvironmentState,
  environmentStates,
  ListEnvironments,
  ShowEnvironment,
} from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';

const time = { type: 'string', format: 'date-time' } as const;

class EnvironmentResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ example: 'production' }) name!: string;
  @ApiProperty({ description: 'For host names' }) slug!: string;
  @ApiProperty({ type: 'string', nullable: true }) external_url!: string | null;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) updated_at!: string;
  @ApiProperty({ enum: environmentStates }) state!: string;
  @ApiProperty({ example: 'production' }) tier!: string;
}

class EnvironmentFilters {
  @StringParameter({ description: 'The whole name' }) name?: string | null;
  @StringParameter({ description: 'Part of the name' }) search?: string | null;
  @ChoiceParameter(environmentStates) states?: EnvironmentState | null;
}

class ThisEnvironment {
  @IntegerParameter({ required: true }) environment_id!: number;
}

/** Where jobs deploy to. */
@Controller('projects/:id/environments')
@Needs('read-jobs')
export class EnvironmentsController {
  constructor(private readonly services: Services) {}

  @Get()
  @Endpoint({ summary: 'List environments', returns: [EnvironmentResponse], errors: [401, 403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @Parameters(EnvironmentFilters) { name, search, states }: EnvironmentFilters,
    @RequestedPage() page: Page,
  ): Promise<EnvironmentResponse[]> {
    const { items, total } = await this.services.ask(ListEnvironments, {
      projectId: project.id,
      name,
      search,
      states: states ? [states] : null,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(present), { total });
  }

  @Get(':environment_id')
  @Endpoint({ summary: 'Show an environment', returns: EnvironmentResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisEnvironment) { environment_id: environmentId }: ThisEnvironment,
  ): Promise<EnvironmentResponse> {
    return present(await this.services.ask(ShowEnvironment, { projectId: project.id, environmentId }));
  }
}

function present(facts: EnvironmentFacts): EnvironmentResponse {
  return {
    id: facts.id,
    name: facts.name,
    slug: facts.slug,
    external_url: facts.externalUrl,
    created_at: facts.createdAt,
    updated_at: facts.updatedAt,
    state: facts.state,
    tier: facts.tier,
  };
}
