import { Controller, Delete, Post, Put } from '@nestjs/common';
import {
  type Actor,
  CancelPipeline,
  CreatePipeline,
  DeletePipeline,
  projectNotFound,
  RenamePipeline,
  RetryPipeline,
  ShowActor,
  type VariableType,
  variableTypes,
} from '#libs/contracts';
import { DatabaseClock, uuidv7 } from '#libs/persistence';
import { refusalFor } from '../access/access.policy.js';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ChoiceParameter, ListParameter, MapParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { UnmodifiedSince } from '../http/unmodified-since.decorator.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { NamedPipelineResponse, PipelineResponse, presentNamedPipeline, presentPipeline } from './pipeline.response.js';
import { ThisPipeline } from './pipelines.controller.js';

class NewVariable {
  @StringParameter({ required: true }) key!: string;
  @StringParameter({ required: true }) value!: string;
  @ChoiceParameter(variableTypes, { description: '`env_var` unless given' }) variable_type?: VariableType | null;
}

class NewPipeline {
  @StringParameter({ required: true, blank: false, description: 'Branch or tag' }) ref!: string;
  @ListParameter({ of: NewVariable }) variables?: NewVariable[];
  @MapParameter({ description: 'Inputs of the configuration' }) inputs?: Record<string, unknown>;
}

const longestName = 255;

class NamedPipeline extends ThisPipeline {
  @StringParameter({ required: true, maxLength: longestName }) name!: string;
}

/** What can be done with pipelines (trigger-api.md §4.1). */
@Controller('projects/:id')
export class PipelineOrdersController {
  constructor(
    private readonly services: Services,
    private readonly logs: JobLogs,
    private readonly config: GatewayConfig,
    private readonly clock: DatabaseClock,
  ) {}

  @Post('pipeline')
  @Needs('create-pipeline')
  @Endpoint({ summary: 'Create a pipeline', success: 201, returns: PipelineResponse, errors: [401, 403, 404] })
  async create(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(NewPipeline) { ref, variables = [], inputs }: NewPipeline,
  ): Promise<PipelineResponse> {
    const created = await this.services.ask(CreatePipeline, {
      requestId: uuidv7(),
      projectId: project.id,
      ref,
      variables: variables.map(({ key, value, variable_type }) => ({ key, value, type: variable_type ?? 'env_var' })),
      inputs,
      actor: actorOf(signedIn(viewer)),
      receivedAt: this.clock.now().toISOString(),
    });
    return presentPipeline(created, this.config.externalUrl);
  }

  @Post('pipelines/:pipeline_id/cancel')
  @Needs('update-pipeline')
  @Endpoint({ summary: 'Cancel a pipeline', returns: PipelineResponse, errors: [401, 403, 404] })
  async cancel(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<PipelineResponse> {
    const actor = actorOf(signedIn(viewer));
    const canceled = await this.services.ask(CancelPipeline, { projectId: project.id, pipelineId, actor });
    return presentPipeline(canceled, this.config.externalUrl);
  }

  @Post('pipelines/:pipeline_id/retry')
  @Needs('update-pipeline')
  @Endpoint({
    summary: 'Run what failed or was canceled again',
    success: 201,
    returns: PipelineResponse,
    errors: [401, 403, 404],
  })
  async retry(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
  ): Promise<PipelineResponse> {
    const actor = actorOf(signedIn(viewer));
    const retried = await this.services.ask(RetryPipeline, { projectId: project.id, pipelineId, actor });
    return presentPipeline(retried, this.config.externalUrl);
  }

  /** A running job may call this too, as its user (trigger-api.md §3.1): the door lets in whoever may read, the user's rights decide. */
  @Put('pipelines/:pipeline_id/metadata')
  @Needs('read-jobs', { jobToken: true })
  @Endpoint({ summary: 'Name a pipeline', returns: NamedPipelineResponse, errors: [401, 403, 404] })
  async rename(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(NamedPipeline) { pipeline_id: pipelineId, name }: NamedPipeline,
  ): Promise<NamedPipelineResponse> {
    const actor = await this.#actorBehind(viewer, project);
    const refusal = refusalFor('update-pipeline', { ...viewer, level: actor.accessLevel } as Viewer, project);
    if (refusal) throw refusal;
    const renamed = await this.services.ask(RenamePipeline, { projectId: project.id, pipelineId, actor, name });
    return presentNamedPipeline(renamed, this.config.externalUrl);
  }

  @Delete('pipelines/:pipeline_id')
  @Needs('delete-pipeline')
  @Endpoint({ summary: 'Delete a pipeline with its jobs', success: 204, errors: [401, 403, 404, 412] })
  async delete(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisPipeline) { pipeline_id: pipelineId }: ThisPipeline,
    @UnmodifiedSince() unmodifiedSince: string | null,
  ): Promise<void> {
    const actor = actorOf(signedIn(viewer));
    const { jobsWithLogs } = await this.services.ask(DeletePipeline, {
      projectId: project.id,
      pipelineId,
      actor,
      unmodifiedSince,
    });
    for (const jobId of jobsWithLogs) await this.logs.delete(jobId);
  }

  async #actorBehind(viewer: Viewer, project: ProjectAddress): Promise<Actor> {
    if (viewer.kind !== 'job') return actorOf(signedIn(viewer));
    const actor = await this.services.ask(ShowActor, { userId: viewer.userId, projectId: project.id });
    if (!actor) throw projectNotFound();
    return actor;
  }
}
