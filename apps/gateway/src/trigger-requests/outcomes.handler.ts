import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { TriggerOutcome } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { TriggerRequests } from './trigger-requests.js';

/** Hears how trigger requests ended: those of this replica, and those whose replica is gone. */
@Controller()
export class OutcomesHandler {
  constructor(private readonly requests: TriggerRequests) {}

  @EventPattern(TriggerOutcome.type, { addressed: true, batch: 500 })
  async settle(@Payload() messages: Message<TriggerOutcome>[]): Promise<void> {
    await this.requests.settle(messages.map(({ data }) => data));
  }
}
