import { randomUUID } from 'node:crypto';
import { type Message, problemsOf, type Validate } from './message.js';
import type { ParkedMessages } from './parked-messages.js';

export interface PublishOptions {
  /** `Bus.instance` of the process that should get it first; any other instance of that service gets it when that one is gone. */
  to?: string;
  /** How long to wait for the broker's confirm, in milliseconds; 5,000 where not given. In process there is nothing to wait for. */
  timeoutMs?: number;
}

export interface RequestOptions {
  /** The caller's deadline, in milliseconds from now. */
  timeoutMs: number;
  /** W3C trace context, handed to the handler unchanged. */
  traceparent?: string;
}

/** What waits in a queue, and how many take from it. */
export interface Backlog {
  /** AMQP messages, in process messages; those that are put off or being handled are not counted. */
  readonly waiting: number;
  /** Instances of the service that handle what is in it. */
  readonly consumers: number;
}

/**
 * What services say to each other goes through here: events with `publish`, questions and orders with `request`.
 * Two real transports: `RabbitBus` and `InProcessBus`; `contract.int.spec.ts` holds both to the same promises.
 */
export abstract class Bus {
  /** This process, random; what others put into `PublishOptions.to`. */
  readonly instance: string = randomUUID();

  /** What handlers gave up on, for the operator to look at, replay or drop. */
  abstract readonly parked: ParkedMessages;

  /**
   * Says that something happened. Several messages of one type may share one AMQP message.
   * Resolves when the broker has confirmed all of them, or in process when every handler succeeded or parked its message
   * (fan-out handlers are not waited for). In process it stays pending while a handler is tried again.
   * @throws PublishFailed naming the messages that nobody confirmed; these may have arrived all the same, so consumers are idempotent
   */
  abstract publish(messages: readonly Message[], options?: PublishOptions): Promise<void>;

  /**
   * Asks the service that handles `pattern` and waits for its answer. Never repeated by the transport: at most one handler runs.
   * @throws Refusal as thrown by the handler; a 500 where the handler failed otherwise
   * @throws RequestTimeout when no answer came in time; the handler may have run, or may still
   * @throws PublishFailed at once, with the reason `away`, when nobody handles the pattern at the moment
   */
  abstract request<T>(pattern: string, data: unknown, options: RequestOptions): Promise<T>;

  /**
   * How a handler's queue stands; nothing and nobody where there is no such queue.
   * @param queue `<service>.<type>`
   * @throws PublishFailed `away` without a broker
   */
  abstract backlog(queue: string): Promise<Backlog>;

  /** Whether a message published now would be taken: the broker is connected and has not blocked publishers. */
  abstract readonly connected: boolean;

  /**
   * Calls the listener each time the bus becomes connected, and once soon if it is now.
   * @returns takes the listener away
   */
  abstract onConnected(listener: () => void): () => void;

  /** Takes no more messages, waits up to 10 s for those on their way, and disconnects. Close the strategies first: their handlers may publish. */
  abstract close(): Promise<void>;
}

const sentences = {
  away: 'the broker or the service that handles it is away',
  timeout: 'the broker did not confirm in time',
  unroutable: 'nobody has a queue or a handler for it',
  refused: 'it was not accepted',
  closing: 'this process is shutting down',
};

export type PublishFailure = keyof typeof sentences;

/** Messages, or a request, did not get through. `ids` are the messages that were not confirmed (empty for a request). */
export class PublishFailed extends Error {
  override readonly name = 'PublishFailed';

  /** @param detail more than the reason's own sentence, without secrets */
  constructor(
    readonly reason: PublishFailure,
    readonly pattern: string,
    readonly ids: readonly string[],
    readonly detail?: string,
  ) {
    super(`${pattern} was not published: ${sentences[reason]}${detail ? ` (${detail})` : ''}`);
  }
}

/** No answer within the caller's deadline. */
export class RequestTimeout extends Error {
  override readonly name = 'RequestTimeout';

  constructor(
    readonly pattern: string,
    readonly timeoutMs: number,
  ) {
    super(`${pattern} was not answered within ${timeoutMs} ms`);
  }
}

/** Waits for all parts of a publication; one error names every message that was not confirmed. */
export async function allPublished(parts: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(parts))
    .filter((outcome) => outcome.status === 'rejected')
    .map(({ reason }) => reason as PublishFailed);
  const [first] = failures;
  if (first)
    throw new PublishFailed(
      first.reason,
      first.pattern,
      failures.flatMap(({ ids }) => ids),
      first.detail,
    );
}

/** Throws `refused` when the data is not what its class in `libs/contracts` says, so that a mistake shows where it was made. */
export function refuseInvalid(validate: Validate, pattern: string, data: unknown, ids: readonly string[]): void {
  const problems = problemsOf(validate, pattern, data);
  if (problems.length > 0) throw new PublishFailed('refused', pattern, ids, problems.join('; '));
}
