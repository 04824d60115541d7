import { Controller, Get } from '@nestjs/common';
import { type BridgeFacts, ListBridges, type Status, statuses } from '#libs/contracts';
import { refusalFor } from '../access/access.policy.js';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import { type ProjectAddress, ProjectAddresses } from '../access/project-addresses.js';
import { onProject, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ListParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { ThisPipeline } from '../pipelines/pipelines.controller.js';
import { Services } from '../services.js';
import { BridgeResponse, presentBridge } from './bridge.response.js';

class BridgeFilters extends ThisPipeline {
  @ListParameter({ of: statuses, single: true }) scope?: Status[];
}

/** The jobs of a pipeline that start others (trigger-api.md §4.1). */
@Controller('projects/:id/pipelines/:pipeline_id')
export class BridgesController {
  constructor(
    private readonly services: Services,
    private readonly projects: ProjectAddresses,
    private readonly config: GatewayConfig,
  ) {}

  @Get(['bridges', 'trigger_jobs'])
  @Needs('read-pipelines', { jobToken: true })
  @Endpoint({ summary: 'List the jobs that start other pipelines', returns: [BridgeResponse], errors: [403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(BridgeFilters) { pipeline_id: pipelineId, scope }: BridgeFilters,
    @RequestedPage() page: Page,
  ): Promise<BridgeResponse[]> {
    const { items, total } = await this.services.ask(ListBridges, {
      projectId: project.id,
      pipelineId,
      scope: scope && scope.length > 0 ? scope : null,
      page: page.page,
      perPage: page.perPage,
    });
    const bridges = items.map(async (bridge) =>
      presentBridge(bridge, await this.#sees(viewer, bridge), this.config.externalUrl),
    );
    return page.answer(await Promise.all(bridges), { total });
  }

  /** Another project may be one that the viewer knows nothing of. */
  async #sees(viewer: Viewer, { downstreamPipeline }: BridgeFacts): Promise<boolean> {
    if (!downstreamPipeline) return false;
    const { projectId } = downstreamPipeline;
    const project = await this.projects.find(String(projectId));
    return refusalFor('read-pipelines', onProject(viewer, projectId), project) === undefined;
  }
}
