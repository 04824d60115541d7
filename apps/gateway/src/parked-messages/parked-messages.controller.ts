import { Controller, Delete, Get, Post } from '@nestjs/common';
import { conflict, notFound, PipelineTriggered, workQueues } from '#libs/contracts';
import { Bus, type ParkedMessage, PublishFailed } from '#libs/messaging';
import { Needs } from '../access/needs.decorator.js';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ChoiceParameter, StringParameter } from '../http/parameter.decorators.js';
import { Parameters } from '../http/parameters.decorator.js';
import { Ledger } from '../trigger-requests/ledger.js';
import { ParkedMessageResponse, presentParkedMessage } from './parked-message.response.js';

class ParkedMessagesFilter {
  @ChoiceParameter(workQueues, { description: 'Only of this queue' }) queue?: string | null;
}

class ThisMessage {
  @ChoiceParameter(workQueues, { required: true }) queue!: string;
  @StringParameter({ required: true }) message_id!: string;
}

const shownOfEach = 100;

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
  async list(@Parameters(ParkedMessagesFilter) { queue }: ParkedMessagesFilter): Promise<ParkedMessageResponse[]> {
    const found: ParkedMessage[] = [];
    for (const name of queue ? [queue] : workQueues) found.push(...(await this.#listOf(name)));
    return found.map(presentParkedMessage);
  }

  @Post(':queue/:message_id/replay')
  @Endpoint({ summary: 'Have a parked message handled again', success: 204, errors: [401, 403, 404, 409] })
  async replay(@Parameters(ThisMessage) { queue, message_id: id }: ThisMessage): Promise<void> {
    const message = (await this.#listOf(queue)).find((parked) => parked.id === id);
    if (!message) throw notFound();
    // Only what has no outcome may have another one: some copy of a request may have been handled while this one was parked.
    for (const { id: requestId, type } of message.messages)
      if (type === PipelineTriggered.type && !(await this.ledger.unpark(requestId)))
        throw conflict('this trigger request is not parked any more, so drop the message');
    if (!(await this.bus.parked.replay(queue, id))) throw notFound();
  }

  @Delete(':queue/:message_id')
  @Endpoint({ summary: 'Throw a parked message away', success: 204, errors: [401, 403, 404] })
  async drop(@Parameters(ThisMessage) { queue, message_id: id }: ThisMessage): Promise<void> {
    if (!(await this.bus.parked.drop(queue, id))) throw notFound();
  }

  /** A service that was never there has no queue. */
  async #listOf(queue: string): Promise<ParkedMessage[]> {
    try {
      return await this.bus.parked.list(queue, shownOfEach);
    } catch (error) {
      if (error instanceof PublishFailed && error.reason === 'unroutable') return [];
      throw error;
    }
  }
}
