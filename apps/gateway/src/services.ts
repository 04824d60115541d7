import { Injectable } from '@nestjs/common';
import { message, type Request, type RequestClass } from '#libs/contracts';
import { Bus } from '#libs/messaging';

/** How long a caller of the HTTP API waits for a service before it is told to try again. */
const deadlineMs = 8_000;

type FieldsOf<Asked> = Omit<Asked, 'replyType'>;
type ReplyOf<Asked> = Asked extends Request<infer Reply> ? Reply : never;

/** The services behind the gateway. */
@Injectable()
export class Services {
  constructor(private readonly bus: Bus) {}

  /**
   * Asks the service that handles this class of request.
   * @param timeoutMs how long to wait for the answer, in milliseconds
   * @throws Refusal as the service refused; RequestTimeout or PublishFailed when it does not answer, which callers get as a 503
   */
  ask<Asked extends Request<unknown>>(
    type: RequestClass<ReplyOf<Asked>> & (new () => Asked),
    fields: FieldsOf<Asked>,
    timeoutMs = deadlineMs,
  ): Promise<ReplyOf<Asked>> {
    return this.bus.request<ReplyOf<Asked>>(type.pattern, message(type, fields as never), { timeoutMs });
  }
}
