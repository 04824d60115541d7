import { Controller, Get, Put } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  EditResourceGroup,
  ListResourceGroups,
  ListUpcomingJobs,
  type ProcessMode,
  processModes,
  type ResourceGroupFacts,
  ShowResourceGroup,
} from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { JobResponse, presentJob } from '../jobs/job.response.js';
import { Services } from '../services.js';

const time = { type: 'string', format: 'date-time' } as const;

class ResourceGroupResponse {
  @ApiProperty({ type: 'integer' }) id!: number;
  @ApiProperty({ example: 'production' }) key!: string;
  @ApiProperty({ enum: processModes }) process_mode!: string;
  @ApiProperty(time) created_at!: string;
  @ApiProperty(time) updated_at!: string;
}

class ThisGroup {
  @StringParameter({ required: true }) key!: string;
}

class GroupChange extends ThisGroup {
  @ChoiceParameter(processModes, { description: 'In which order jobs get their turn' })
  process_mode?: ProcessMode | null;
}

/** Groups of jobs of which one at a time runs: GitLab's own endpoints. */
@Controller('projects/:id/resource_groups')
export class ResourceGroupsController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('read-jobs')
  @Endpoint({ summary: 'List resource groups', returns: [ResourceGroupResponse], errors: [401, 403, 404] })
  async list(@Project() project: ProjectAddress, @RequestedPage() page: Page): Promise<ResourceGroupResponse[]> {
    const { items, total } = await this.services.ask(ListResourceGroups, {
      projectId: project.id,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(items.map(present), { total });
  }

  @Get(':key')
  @Needs('read-jobs')
  @Endpoint({ summary: 'Show a resource group', returns: ResourceGroupResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisGroup) { key }: ThisGroup,
  ): Promise<ResourceGroupResponse> {
    return present(await this.services.ask(ShowResourceGroup, { projectId: project.id, key }));
  }

  @Put(':key')
  @Needs('update-job')
  @Endpoint({ summary: 'Change a resource group', returns: ResourceGroupResponse, errors: [401, 403, 404] })
  async edit(
    @Project() project: ProjectAddress,
    @Parameters(GroupChange) { key, process_mode: processMode }: GroupChange,
  ): Promise<ResourceGroupResponse> {
    const projectId = project.id;
    const facts = processMode
      ? await this.services.ask(EditResourceGroup, { projectId, key, processMode })
      : await this.services.ask(ShowResourceGroup, { projectId, key });
    return present(facts);
  }

  @Get(':key/upcoming_jobs')
  @Needs('read-jobs')
  @Endpoint({
    summary: 'List the jobs that wait for a resource group',
    returns: [JobResponse],
    errors: [401, 403, 404],
  })
  async upcoming(
    @Project() project: ProjectAddress,
    @Parameters(ThisGroup) { key }: ThisGroup,
    @RequestedPage() page: Page,
  ): Promise<JobResponse[]> {
    const { items, total } = await this.services.ask(ListUpcomingJobs, {
      projectId: project.id,
      key,
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((job) => presentJob(job, this.config.externalUrl)),
      { total },
    );
  }
}

function present({ id, key, processMode, createdAt, updatedAt }: ResourceGroupFacts): ResourceGroupResponse {
  return { id, key, process_mode: processMode, created_at: createdAt, updated_at: updatedAt };
}
