import type { EventHandler, RequestHandler } from './handlers.js';
import type { InProcessBus } from './in-process-bus.js';
import { MessagingStrategy, type StrategyOptions } from './messaging-strategy.js';

/** Connects a Nest application's handlers to the in-process bus; one for each service. */
export class InProcessStrategy extends MessagingStrategy {
  readonly #bus: InProcessBus;
  #unsubscribe = async (): Promise<void> => undefined;

  constructor({ bus, ...options }: StrategyOptions & { bus: InProcessBus }) {
    super(options);
    this.#bus = bus;
  }

  protected override async subscribe(
    events: readonly EventHandler[],
    requests: readonly RequestHandler[],
  ): Promise<void> {
    this.#unsubscribe = this.#bus.subscribe(this.service, events, requests);
  }

  override async close(): Promise<void> {
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = async () => undefined;
    await unsubscribe();
  }

  override unwrap<T>(): T {
    return this.#bus as T;
  }
}
