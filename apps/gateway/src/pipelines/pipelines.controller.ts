import { Controller, Get } from '@nestjs/common';
import { ListPipelines, ShowLatestPipeline, ShowPipeline, ShowPipelineVariables } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { filtersOf, PipelineFilters } from './pipeline-filters.js';
import {
  emptyTestReport,
  PipelineVariableResponse,
  presentPipelineVariable,
  TestReportResponse,
} from './pipeline-parts.response.js';
import {
  ListedPipelineResponse,
  NamedPipelineResponse,
  presentListedPipeline,
  presentNamedPipeline,
} from './pipeline.response.js';

export class ThisPipeline {
  @IntegerParameter({ required: true }) pipeline_id!: number;
}

class LatestParameters {
  @StringParameter({ description: 'Branch or tag; the default branch unless given' }) ref?: string | null;
}

/** What can be read of pipelines (trigger-api.md §4.1). */
@Controller('projects/:id/pipelines')
export class PipelinesController {
  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'List pipelines', returns: [ListedPipelineResponse], errors: [403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @Parameters(PipelineFilters) filters: PipelineFilters,
    @RequestedPage() page: Page,
  ): Promise<ListedPipelineResponse[]> {
    const { items, total } = await this.services.ask(ListPipelines, {
      projectId: project.id,
      ...filtersOf(filters),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((pipeline) => presentListedPipeline(pipeline, this.config.externalUrl)),
      { total },
    );
  }

  @Get('latest')
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({
    summary: 'Show the newest pipeline of the commit that a ref points to now',
    returns: NamedPipelineResponse,
    errors: [403, 404],
  })
  async latest(
    @Project() project: ProjectAddress,
    @Parameters(LatestParameters) { ref }: LatestParameters,
  ): Promise<NamedPipelineResponse> {
    const newest = await this.services.ask(ShowLatestPipeline, { projectId: project.id, ref: ref || null });
    return presentNamedPipeline(newest, this.config.externalUrl);
  }

  @Get(':pipeline_id')
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'Show a pipeline', returns: NamedPipelineResponse, errors: [403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<NamedPipelineResponse> {
    const pipeline = await this.services.ask(ShowPipeline, { projectId: project.id, pipelineId });
    return presentNamedPipeline(pipeline, this.config.externalUrl);
  }

  /** The whole list at once, and without pagination headers, as in GitLab. */
  @Get(':pipeline_id/variables')
  @Needs('read-pipeline-variables')
  @Endpoint({ summary: 'List the variables of a pipeline', returns: [PipelineVariableResponse], errors: [403, 404] })
  async variables(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<PipelineVariableResponse[]> {
    const actor = actorOf(signedIn(viewer));
    const variables = await this.services.ask(ShowPipelineVariables, { projectId: project.id, pipelineId, actor });
    return variables.map(presentPipelineVariable);
  }

  @Get(':pipeline_id/test_report')
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'Show what the tests of a pipeline reported', returns: TestReportResponse, errors: [403, 404] })
  async testReport(
    @Project() project: ProjectAddress,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<TestReportResponse> {
    await this.services.ask(ShowPipeline, { projectId: project.id, pipelineId });
    return emptyTestReport;
  }
}
