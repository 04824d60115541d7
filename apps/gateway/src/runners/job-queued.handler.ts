import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { JobQueued } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { HeldRequests } from './held-requests.js';

/** Every gateway hears of jobs that wait, and wakes the runners whose requests it holds. */
@Controller()
export class JobQueuedHandler {
  constructor(private readonly held: HeldRequests) {}

  @EventPattern(JobQueued.type, { fanOut: true, batch: 200 })
  wake(@Payload() messages: Message<JobQueued>[]): void {
    for (const { data } of messages) this.held.hint(data);
  }
}
