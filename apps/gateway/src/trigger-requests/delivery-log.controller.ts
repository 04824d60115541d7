import { Controller, Get } from '@nestjs/common';
import { type CallerNames, FindMaskedKeys, notFound } from '#libs/contracts';
import { Needs, Project } from '../access/needs.decorator.js';
import type { ProjectAddress } from '../access/project-addresses.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, IntegerParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Services } from '../services.js';
import { callerNames } from '../triggers/caller-names.js';
import { cursorAfter, requestIdOf, requestIdPattern } from './delivery-cursor.js';
import { type Delivery, DeliveryLog, requestStates, type RequestState } from './delivery-log.js';
import { DeliveryResponse, presentDelivery, presentWholeDelivery, WholeDeliveryResponse } from './delivery.response.js';
import { redacted } from './redaction.js';

class DeliveryFilters {
  @ChoiceParameter(requestStates) state?: RequestState | null;
  @IntegerParameter({ description: 'Those with the token of this trigger' }) trigger_id?: number | null;
  @StringParameter({ description: 'From the link of the page before' }) cursor?: string | null;
}

class ThisDelivery {
  @StringParameter({ required: true, pattern: requestIdPattern }) request_id!: string;
}

/** The delivery log: every call of the trigger endpoint with a good token, and what became of it, for as long as the ledger keeps it. */
@Controller('projects/:id/trigger/requests')
export class DeliveryLogController {
  constructor(
    private readonly log: DeliveryLog,
    private readonly services: Services,
  ) {}

  @Get()
  @Needs('manage-triggers')
  @Endpoint({
    summary: 'List trigger requests, the newest first',
    returns: [DeliveryResponse],
    errors: [401, 403, 404],
  })
  async list(
    @Project() project: ProjectAddress,
    @Parameters(DeliveryFilters) { state, trigger_id, cursor }: DeliveryFilters,
    @RequestedPage() page: Page,
  ): Promise<DeliveryResponse[]> {
    // One more than wanted tells whether something follows.
    const found = await this.log.list({
      projectId: project.id,
      state: state ?? null,
      triggerId: trigger_id ?? null,
      before: cursor ? requestIdOf(cursor) : null,
      limit: page.perPage + 1,
    });
    const deliveries = found.slice(0, page.perPage);
    const names = await this.#names(project, deliveries);
    const last = deliveries.at(-1);
    return page.answerKeyset(
      deliveries.map((delivery) => presentDelivery(delivery, names)),
      last && found.length > page.perPage ? cursorAfter(last.id) : undefined,
    );
  }

  @Get(':request_id')
  @Needs('manage-triggers')
  @Endpoint({
    summary: 'Show a trigger request with what was sent',
    returns: WholeDeliveryResponse,
    errors: [401, 403, 404],
  })
  async show(
    @Project() project: ProjectAddress,
    @Parameters(ThisDelivery) { request_id: requestId }: ThisDelivery,
  ): Promise<WholeDeliveryResponse> {
    const delivery = await this.log.find(project.id, requestId);
    if (!delivery) throw notFound();
    const { variables, payload, headers = {} } = delivery.request;
    const keys = variables.map(([key]) => key);
    const masked = keys.length === 0 ? [] : await this.services.ask(FindMaskedKeys, { projectId: project.id, keys });
    const sent = redacted({ variables, payload }, new Set(masked));
    return presentWholeDelivery(delivery, await this.#names(project, [delivery]), sent, headers);
  }

  /** As they are now; what the records say of them is enough where nobody can be asked. */
  #names({ id }: ProjectAddress, deliveries: readonly Delivery[]): Promise<CallerNames> {
    const triggerIds = [...new Set(deliveries.flatMap(({ triggerId }) => triggerId ?? []))];
    return callerNames(this.services, id, triggerIds, [...new Set(deliveries.map(({ userId }) => userId))]);
  }
}
