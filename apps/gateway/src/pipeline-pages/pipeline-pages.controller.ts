import { Controller, Get } from '@nestjs/common';
import { ListShownPipelines, pipelineScopes, pipelineSources, ShowWholePipeline, statuses } from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import type { Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { AtRoot } from '../http/at-root.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { ThisPipeline } from '../pipelines/pipelines.controller.js';
import { Services } from '../services.js';
import { callerNames } from '../triggers/caller-names.js';
import { LinkedProjects } from './linked-projects.js';
import { orderingActor } from './ordering-actor.js';
import {
  presentShownPipeline,
  presentWholePipeline,
  ShownPipelineResponse,
  WholePipelineResponse,
} from './shown-pipeline.response.js';

class ShownPipelineFilters {
  @ChoiceParameter(pipelineScopes, { description: '`finished`: succeeded, failed or canceled' })
  scope?: ListShownPipelines['scope'];
  @ChoiceParameter(statuses) status?: ListShownPipelines['status'];
  @ChoiceParameter(pipelineSources) source?: ListShownPipelines['source'];
  @StringParameter({ description: 'Branch or tag' }) ref?: string | null;
  @IntegerParameter({ description: 'Those that this trigger started' }) trigger_id?: number | null;
}

/** Pipelines as the pages show them: each page is one call, where the API would take many. */
@AtRoot()
@Controller('-/projects/:id/pipelines')
export class PipelinePagesController {
  constructor(
    private readonly services: Services,
    private readonly linked: LinkedProjects,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('read-pipelines')
  @Endpoint({ summary: 'List pipelines with their stages', returns: [ShownPipelineResponse], errors: [403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ShownPipelineFilters) { trigger_id, ...filters }: ShownPipelineFilters,
    @RequestedPage() page: Page,
  ): Promise<ShownPipelineResponse[]> {
    const { items, total, more } = await this.services.ask(ListShownPipelines, {
      projectId: project.id,
      ...filters,
      triggerId: trigger_id,
      actor: orderingActor(viewer, project),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((pipeline) => presentShownPipeline(pipeline, this.config.externalUrl)),
      total === null ? { more } : { total },
    );
  }

  @Get(':pipeline_id')
  @Needs('read-pipelines')
  @Endpoint({
    summary: 'Show a pipeline with its stages and jobs',
    returns: WholePipelineResponse,
    errors: [403, 404],
  })
  async show(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<WholePipelineResponse> {
    const actor = orderingActor(viewer, project);
    const pipeline = await this.services.ask(ShowWholePipeline, { projectId: project.id, pipelineId, actor });
    const triggerIds = actor && pipeline.trigger ? [pipeline.trigger.id] : [];
    const [seen, names] = await Promise.all([
      this.linked.seenBy(viewer, [pipeline.upstream, ...pipeline.jobs.map(({ downstream }) => downstream)]),
      callerNames(this.services, project.id, triggerIds, []),
    ]);
    return presentWholePipeline(pipeline, names.triggers[0]?.description ?? null, seen, this.config.externalUrl);
  }
}
