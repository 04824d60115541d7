import { Logger } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import type { HandlerExtras } from './handler.decorator.js';
import {
  describeHandler,
  type EventHandler,
  type FoundHandler,
  type HandledCounts,
  handlerProblems,
  type RequestHandler,
  toEventHandler,
  toRequestHandler,
} from './handlers.js';

export interface StrategyOptions {
  /** The service's name, first part of its queues' names. */
  service: string;
  /** The events and requests this service must handle; where given, a missing or an additional handler keeps it from starting. */
  handles?: readonly string[];
}

/** What both transports have in common towards Nest: collecting the handlers and refusing to start with the wrong ones. */
export abstract class MessagingStrategy extends Server implements CustomTransportStrategy {
  /** Nest would otherwise also log the failures of event handlers, which are told once here. */
  override readonly propagatesEventHandlerErrors = true;
  protected readonly service: string;
  protected override readonly logger = new Logger('Messaging');
  readonly #handles?: readonly string[];
  readonly #found: FoundHandler[] = [];
  #events: EventHandler[] = [];

  constructor({ service, handles }: StrategyOptions) {
    super();
    this.service = service;
    this.#handles = handles;
  }

  /** The queues of event handlers, `<service>.<type>`; known after `listen`. Of those that are `kept`, the broker keeps messages while nobody takes them. */
  get handled(): { queue: string; kept: boolean; counts: HandledCounts }[] {
    return this.#events.map(({ type, fanOut, counts }) => ({
      queue: `${this.service}.${type}`,
      kept: !fanOut,
      counts,
    }));
  }

  /** Called by Nest for each handler it finds. */
  override addHandler(pattern: unknown, callback: MessageHandler, isEvent = false, extras: HandlerExtras = {}): void {
    this.#found.push({ pattern: this.normalizePattern(pattern as string), callback, isEvent, extras });
  }

  /** Called by Nest: starts to consume, or gives an error that lists everything wrong with the handlers. */
  override listen(callback: (error?: unknown) => void): void {
    this.#start().then(() => callback(), callback);
  }

  async #start(): Promise<void> {
    const problems = handlerProblems(this.#found, this.#handles);
    if (problems.length > 0) {
      throw new Error(`${this.service} cannot start:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    }
    this.#events = this.#found.filter(({ isEvent }) => isEvent).map(toEventHandler);
    await this.subscribe(this.#events, this.#found.filter(({ isEvent }) => !isEvent).map(toRequestHandler));
    for (const handler of this.#found) this.logger.log(describeHandler(this.service, handler));
  }

  protected abstract subscribe(events: readonly EventHandler[], requests: readonly RequestHandler[]): Promise<void>;

  /** Takes nothing new, waits up to 10 s for the handlers that run, and stops. Called by Nest at shutdown. */
  abstract override close(): Promise<void>;

  /** Nest's `Server` asks for it; the bus tells about the connection (`Bus.onConnected`), and there are no other happenings. */
  override on(event: string): never {
    throw new Error(`${this.service}: there is no transport event ${event}; see Bus.onConnected`);
  }
}
