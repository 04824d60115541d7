import { Controller, Delete, Get, Post } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { conflict, notFound, PipelineTriggered, workQueues } from '#libs/contracts';
import { Bus, type ParkedMessage, PublishFailed } from '#libs/messaging';
import { Needs } from '../access/needs.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { Page, RequestedPage } from '../http/page.decorator.js';
import { ChoiceParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Ledger } from '../trigger-requests/ledger.js';
import { ParkedMessageResponse, presentParkedMessage } from './parked-message.response.js';

class ParkedMessagesFilter {
  @ChoiceParameter(workQueues, { description: 'Only of this queue' }) queue?: string | null;
  @StringParameter({ description: 'Only the one with this id, wherever it is' }) id?: string | null;
}

class ThisMessage {
  @ChoiceParameter(workQueues, { required: true }) queue!: string;
  @StringParameter({ required: true }) message_id!: string;
}

/**
 * What services gave up on, for the operator (architecture.md §3): to look at, to be handled again, or to throw away. The same for queues of RabbitMQ
 * and for rows of the embedded database.
 */
@Controller('admin/parked_messages')
@Needs('administrator')
export class ParkedMessagesController {
  constructor(
    private readonly bus: Bus,
    private readonly ledger: Ledger,
  ) {}

  @Get()
  @Endpoint({ summary: 'List parked messages', returns: [ParkedMessageResponse], errors: [401, 403] })
  async list(
    @Parameters(ParkedMessagesFilter) { queue, id }: ParkedMessagesFilter,
    @RequestedPage() page: Page,
  ): Promise<ParkedMessageResponse[]> {
    const queues = queue ? [queue] : workQueues;
    if (!id) {
      const { messages, total } = await this.#page(queues, page.offset, page.perPage);
      return page.answer(messages.map(presentParkedMessage), { total });
    }
    const found: ParkedMessage[] = [];
    for (const name of queues) {
      const message = await unlessMissing(this.bus.parked.find(name, id), undefined);
      if (message) found.push(message);
    }
    return page.answer(found.map(presentParkedMessage), { total: found.length });
  }

  /** A message may hold several trigger requests. It is handled again as a whole, and those of them that have their outcome keep it. */
  @Post(':queue/:message_id/replay')
  @Endpoint({ summary: 'Have a parked message handled again', success: 204, errors: [401, 403, 404, 409] })
  async replay(@Parameters(ThisMessage) { queue, message_id: id }: ThisMessage): Promise<void> {
    const unpark = async (message: ParkedMessage): Promise<void> => {
      const requests = triggerRequests(message);
      // Copies of all of them may have been handled while this one was parked.
      if (requests.length > 0 && (await this.ledger.unpark(requests)) === 0)
        throw conflict('this trigger request is not parked any more, so drop the message');
    };
    if (!(await unlessMissing(this.bus.parked.replay(queue, id, unpark), false))) throw notFound();
  }

  /** Trigger requests in it are given up before it goes: were it the other way round, a crash would leave them parked for ever. */
  @Delete(':queue/:message_id')
  @Endpoint({ summary: 'Throw a parked message away', success: 204, errors: [401, 403, 404] })
  async drop(@Parameters(ThisMessage) { queue, message_id: id }: ThisMessage): Promise<void> {
    const giveUp = (message: ParkedMessage) => this.ledger.giveUp(triggerRequests(message));
    if (!(await unlessMissing(this.bus.parked.drop(queue, id, giveUp), false))) throw notFound();
  }

  /** One page of several queues, one after the other. */
  async #page(
    queues: readonly string[],
    offset: number,
    limit: number,
  ): Promise<{ messages: ParkedMessage[]; total: number }> {
    const messages: ParkedMessage[] = [];
    let total = 0;
    for (const queue of queues) {
      const count = await unlessMissing(this.bus.parked.count(queue), 0);
      const skipped = Math.max(0, offset - total);
      total += count;
      const wanted = limit - messages.length;
      if (skipped < count && wanted > 0)
        messages.push(...(await unlessMissing(this.bus.parked.list(queue, wanted, skipped), [])));
    }
    return { messages, total };
  }
}

/** Ids of the trigger requests in it. */
function triggerRequests({ messages }: ParkedMessage): string[] {
  return messages.flatMap(({ id, type }) => (type === PipelineTriggered.type && isUUID(id) ? id : []));
}

/** A service that was never there has no queue. */
async function unlessMissing<Result>(asked: Promise<Result>, instead: Result): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof PublishFailed && error.reason === 'unroutable') return instead;
    throw error;
  }
}
