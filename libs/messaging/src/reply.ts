import type { Logger } from '@nestjs/common';
import { Refusal, unavailable } from '#libs/contracts';
import type { RequestContext } from './handler.decorator.js';
import type { RequestHandler } from './handlers.js';
import { isServerAway } from './server-away.js';

/** The answer to a request as it crosses, in JSON. */
export type Reply =
  | { readonly data?: unknown }
  | {
      readonly refusal: {
        readonly status: number;
        readonly body: Record<string, unknown>;
        readonly headers: Record<string, string>;
      };
    };

const FAILED: Reply = { refusal: { status: 500, body: { message: '500 Internal Server Error' }, headers: {} } };

/**
 * Runs the handler. Never rejects: what was thrown becomes the answer, and is told in the log unless it is a `Refusal`. Where a server is away, that is 503: the caller may
 * ask again.
 */
export async function answer(
  handler: RequestHandler,
  data: unknown,
  context: RequestContext,
  log: Logger,
): Promise<string> {
  try {
    return JSON.stringify({ data: await handler.handle(data, context) } satisfies Reply);
  } catch (error) {
    if (error instanceof Refusal) return refusedAnswer(error);
    if (isServerAway(error)) {
      log.warn(`${context.pattern} could not be answered: ${String(error)}`);
      return refusedAnswer(unavailable());
    }
    return failedAnswer(`${context.pattern} failed`, error, log);
  }
}

function refusedAnswer({ status, body, headers }: Refusal): string {
  return JSON.stringify({ refusal: { status, body, headers } } satisfies Reply);
}

/** The answer where something is wrong that is no business of the caller's caller; tells the log what. */
export function failedAnswer(what: string, cause: unknown, log: Logger): string {
  if (cause instanceof Error) log.error(`${what}: ${cause.message}`, cause.stack);
  else log.error(`${what}: ${String(cause)}`);
  return JSON.stringify(FAILED);
}

/**
 * What the caller gets out of an answer.
 * @throws Refusal
 */
export function readReply<T>(text: string): T {
  const reply = JSON.parse(text) as Reply;
  if ('refusal' in reply) throw new Refusal(reply.refusal.status, reply.refusal.body, reply.refusal.headers);
  return reply.data as T;
}
