import { applyDecorators, Catch, type RpcExceptionFilter, UseFilters } from '@nestjs/common';
import { EventPattern as NestEventPattern, MessagePattern as NestMessagePattern } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';

export interface EventHandlerOptions {
  /**
   * The handler gets `Message[]` of at most this many, whatever is there, and never waits for more. When it throws, the messages are run
   * again one by one, unless it throws `BatchFailures`. Messages delivered again or tried again come alone. Without it the handler gets one `Message`.
   */
  batch?: number;
  /** How many runs of this handler at a time in this process; 1 where not given. */
  concurrency?: number;
  /** How long to rest after each run, in milliseconds, so that under load there are few and large ones; a lone message waits for nothing. */
  restMs?: number;
  /** Every instance gets every message, from when it is connected; nothing is kept, retried or parked. */
  fanOut?: boolean;
  /** Messages published `to` this instance come here; those whose addressee is gone, and those published to nobody, go to any instance. */
  addressed?: boolean;
  /** Waiting time before each further attempt, in milliseconds, growing; then the message is parked. 1 s, 5 s, 30 s, 2 min where not given. */
  retryDelaysMs?: readonly number[];
}

export interface RequestHandlerOptions {
  /** How many requests of this pattern at a time in this process; 50 where not given. */
  concurrency?: number;
}

/** The second argument of an event handler, with Nest's `@Ctx()`. */
export interface EventContext {
  /** 1 for the first. A message that was delivered again after a crash, or put off with `RetryLater`, counts as the same attempt. */
  readonly attempt: number;
  /** Whether the message will be parked if this attempt fails. */
  readonly lastAttempt: boolean;
}

/** The second argument of a request handler, with Nest's `@Ctx()`. */
export interface RequestContext {
  readonly pattern: string;
  readonly correlationId: string;
  readonly traceparent?: string;
  /** When the caller gives up, in milliseconds since 1970 by this process's clock. */
  readonly deadline: number;
}

/** Nest's own filter would replace whatever a handler throws by "Internal server error"; here the error decides what becomes of the message. */
@Catch()
class OriginalErrors implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

export interface HandlerExtras {
  messaging?: EventHandlerOptions & RequestHandlerOptions;
}

/**
 * Nest's `@EventPattern` with typed options: handles the events of one type (`pipeline.triggered.v1`).
 * The method gets `@Payload()` a `Message`, or `Message[]` with `batch`, and `@Ctx()` an `EventContext`. When it returns, the message is done;
 * when it throws, it is tried again later and finally parked. `Unprocessable`, `RetryLater` and `BatchFailures` choose otherwise.
 */
export function EventPattern(type: string, options: EventHandlerOptions = {}): MethodDecorator {
  return applyDecorators(
    NestEventPattern(type, { messaging: options } satisfies HandlerExtras) as MethodDecorator,
    UseFilters(new OriginalErrors()),
  );
}

/**
 * Nest's `@MessagePattern` with typed options: answers requests (`triggers.create`).
 * The method gets `@Payload()` the request's data and `@Ctx()` a `RequestContext`; what it returns is the answer, a `Refusal` it throws reaches the caller as it is.
 */
export function MessagePattern(pattern: string, options: RequestHandlerOptions = {}): MethodDecorator {
  return applyDecorators(
    NestMessagePattern(pattern, { messaging: options } satisfies HandlerExtras) as MethodDecorator,
    UseFilters(new OriginalErrors()),
  );
}
