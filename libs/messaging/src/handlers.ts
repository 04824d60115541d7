import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { EventContext, HandlerExtras, RequestContext } from './handler.decorator.js';
import type { Message } from './message.js';

export const RETRY_DELAYS_MS: readonly number[] = [1_000, 5_000, 30_000, 120_000];
const REQUEST_CONCURRENCY = 50;

/** What became of the messages of a handler since the process began: of those that are tried again each attempt counts. */
export interface HandledCounts {
  done: number;
  retried: number;
  parked: number;
  /** They failed, and are not tried again: hints only. */
  dropped: number;
}

export interface EventHandler {
  readonly type: string;
  readonly batch: number;
  readonly concurrency: number;
  readonly restMs: number;
  readonly fanOut: boolean;
  readonly addressed: boolean;
  readonly retryDelaysMs: readonly number[];
  /** Its transport counts here. */
  readonly counts: HandledCounts;
  /** Rejects with what the handler threw. The messages are of one attempt. */
  handle(messages: Message[], context: EventContext): Promise<void>;
}

export interface RequestHandler {
  readonly pattern: string;
  readonly concurrency: number;
  /** Rejects with what the handler threw. */
  handle(data: unknown, context: RequestContext): Promise<unknown>;
}

/** A handler as Nest hands it over. */
export interface FoundHandler {
  readonly pattern: string;
  readonly callback: MessageHandler;
  readonly isEvent: boolean;
  readonly extras: HandlerExtras;
}

/** What keeps a service from starting, one sentence each; empty when nothing does. `expected` are the patterns it must handle, no more and no fewer. */
export function handlerProblems(found: readonly FoundHandler[], expected?: readonly string[]): string[] {
  const patterns = found.map(({ pattern }) => pattern);
  const twice = new Set(patterns.filter((pattern, index) => patterns.indexOf(pattern) !== index));
  return [
    ...[...twice].map((pattern) => `${pattern} has more than one handler`),
    ...found.flatMap(optionProblems),
    ...(expected ?? [])
      .filter((pattern) => !patterns.includes(pattern))
      .map((pattern) => `${pattern} has no handler: is its controller in a module?`),
    ...(expected ? patterns.filter((pattern) => !expected.includes(pattern)) : []).map(
      (pattern) => `${pattern} has a handler but is not among the messages of this service`,
    ),
  ];
}

function optionProblems({ pattern, isEvent, extras }: FoundHandler): string[] {
  const options = extras.messaging;
  const kind = isEvent ? 'EventPattern' : 'MessagePattern';
  if (!options) return [`${pattern}: take @${kind} from #libs/messaging, Nest's own one hides what the handler throws`];
  const problems: string[] = [];
  for (const name of ['batch', 'concurrency', 'restMs'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      problems.push(`${pattern}: ${name} is ${value}, it must be a whole number from 1`);
    }
  }
  const delays = options.retryDelaysMs ?? [];
  if (delays.some((delay, index) => !(Number.isInteger(delay) && delay >= 1 && delay >= (delays[index - 1] ?? 0)))) {
    problems.push(`${pattern}: retryDelaysMs must be whole milliseconds from 1, growing`);
  }
  if (options.fanOut && options.addressed) problems.push(`${pattern}: fanOut and addressed exclude each other`);
  return problems;
}

export function toEventHandler({ pattern, callback, extras }: FoundHandler): EventHandler {
  const {
    batch,
    concurrency = 1,
    restMs = 0,
    fanOut = false,
    addressed = false,
    retryDelaysMs,
  } = extras.messaging ?? {};
  return {
    type: pattern,
    batch: batch ?? 1,
    concurrency,
    restMs,
    fanOut,
    addressed,
    retryDelaysMs: retryDelaysMs ?? RETRY_DELAYS_MS,
    counts: { done: 0, retried: 0, parked: 0, dropped: 0 },
    handle: async (messages, context) => {
      await call(callback, batch === undefined ? messages[0] : messages, context);
    },
  };
}

export function toRequestHandler({ pattern, callback, extras }: FoundHandler): RequestHandler {
  return {
    pattern,
    concurrency: extras.messaging?.concurrency ?? REQUEST_CONCURRENCY,
    handle: (data, context) => call(callback, data, context),
  };
}

/** Nest answers with an Observable where interceptors or filters took part, and with the plain value otherwise. */
async function call(callback: MessageHandler, payload: unknown, context: unknown): Promise<unknown> {
  const result: unknown = await callback(payload, context);
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}

/** One line for the log at start. */
export function describeHandler(service: string, { pattern, isEvent, extras }: FoundHandler): string {
  const options = Object.entries(extras.messaging ?? {}).map(([name, value]) => `${name} ${String(value)}`);
  const kind = isEvent ? 'handles' : 'answers';
  return `${service} ${kind} ${pattern}${options.length > 0 ? ` (${options.join('; ')})` : ''}`;
}
