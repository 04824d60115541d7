import { randomUUID } from 'node:crypto';
import { Controller, Delete, Get, Post, Put } from '@nestjs/common';
import {
  CreateTrigger,
  DeleteTrigger,
  ListTriggers,
  ShowTrigger,
  type TriggerFacts,
  UpdateTrigger,
} from '#libs/contracts';
import { CurrentViewer, Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { actorOf, signedIn, type Viewer } from '../access/viewer.js';
import { GatewayConfig } from '../config.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { DateTimeParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { UnmodifiedSince } from '../http/unmodified-since.decorator.js';
import { Services } from '../services.js';
import { TriggerSecrets } from './trigger-secrets.js';
import { presentTrigger, TriggerResponse } from './trigger.response.js';

const longestDescription = 1_024;

class NewTrigger {
  @StringParameter({ required: true, maxLength: longestDescription }) description!: string;
  @DateTimeParameter({ description: 'Within a year; without it the token never expires' }) expires_at?: Date | null;
}

class ThisTrigger {
  @IntegerParameter({ required: true }) trigger_id!: number;
}

class TriggerChange extends ThisTrigger {
  @StringParameter({ maxLength: longestDescription, description: 'Left out: the description is removed' })
  description?: string | null;
}

/** trigger-api.md §2. */
@Controller('projects/:id/triggers')
export class TriggersController {
  constructor(
    private readonly services: Services,
    private readonly secrets: TriggerSecrets,
    private readonly config: GatewayConfig,
  ) {}

  @Get()
  @Needs('manage-triggers')
  @Endpoint({ summary: 'List trigger tokens', returns: [TriggerResponse], errors: [401, 403, 404] })
  async list(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @RequestedPage() page: Page,
  ): Promise<TriggerResponse[]> {
    const { items, total } = await this.services.ask(ListTriggers, {
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      page: page.page,
      perPage: page.perPage,
    });
    return page.answer(
      items.map((trigger) => this.#present(trigger)),
      { total },
    );
  }

  @Get(':trigger_id')
  @Needs('manage-triggers')
  @Endpoint({ summary: 'Show a trigger token', returns: TriggerResponse, errors: [401, 403, 404] })
  async show(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(ThisTrigger) { trigger_id: triggerId }: ThisTrigger,
  ): Promise<TriggerResponse> {
    const actor = actorOf(signedIn(viewer));
    return this.#present(await this.services.ask(ShowTrigger, { projectId: project.id, triggerId, actor }));
  }

  @Post()
  @Needs('manage-triggers')
  @Endpoint({
    summary: 'Create a trigger token',
    description: 'The answer is where the token can be read in full.',
    success: 201,
    returns: TriggerResponse,
    errors: [401, 403, 404],
  })
  async create(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(NewTrigger) { description, expires_at }: NewTrigger,
  ): Promise<TriggerResponse> {
    const { token, ...sent } = this.secrets.make(project.id);
    const trigger = await this.services.ask(CreateTrigger, {
      requestId: randomUUID(),
      projectId: project.id,
      actor: actorOf(signedIn(viewer)),
      description,
      expiresAt: expires_at?.toISOString() ?? null,
      ...sent,
    });
    return presentTrigger(trigger, token, this.config.externalUrl);
  }

  @Put(':trigger_id')
  @Needs('update-trigger')
  @Endpoint({ summary: 'Describe a trigger token', returns: TriggerResponse, errors: [401, 403, 404] })
  async update(
    @Project() project: ProjectAddress,
    @CurrentViewer() viewer: Viewer,
    @Parameters(TriggerChange) { trigger_id: triggerId, description = null }: TriggerChange,
  ): Promise<TriggerResponse> {
    const actor = actorOf(signedIn(viewer));
    return this.#present(
      await this.services.ask(UpdateTrigger, { projectId: project.id, triggerId, actor, description }),
    );
  }

  @Delete(':trigger_id')
  @Needs('manage-triggers')
  @Endpoint({
    summary: 'Revoke a trigger token',
    description: 'Once this is answered, the token is refused.',
    success: 204,
    errors: [401, 403, 404, 412],
  })
  async delete(
    @Project() project: ProjectAddress,
    @Parameters(ThisTrigger) { trigger_id: triggerId }: ThisTrigger,
    @UnmodifiedSince() unmodifiedSince: string | null,
  ): Promise<void> {
    await this.services.ask(DeleteTrigger, { projectId: project.id, triggerId, unmodifiedSince });
  }

  #present(trigger: TriggerFacts): TriggerResponse {
    return presentTrigger(trigger, this.secrets.shown(trigger), this.config.externalUrl);
  }
}
