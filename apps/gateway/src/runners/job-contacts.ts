import { ReportContacts } from '#libs/contracts';
import type { Services } from '../services.js';

const everyMs = 5_000;

/**
 * Collects which jobs were heard of, and tells the pipeline service every few seconds, instead of one message for each piece of log. It also tells
 * that there were none: a runner counts as silent only while some gateway would have passed on what it says.
 */
export class JobContacts {
  #heard = new Map<number, number | null>();
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(private readonly services: Services) {}

  start(): void {
    this.#timer ??= setInterval(() => void this.tell(), everyMs).unref();
  }

  /** @param traceSize bytes of log stored; null where none came */
  note(jobId: number, traceSize: number | null): void {
    this.#heard.set(jobId, traceSize ?? this.#heard.get(jobId) ?? null);
  }

  /** Tells now what there is to tell. */
  tell(): Promise<void> {
    this.#telling = this.#telling.then(async () => {
      const contacts = [...this.#heard];
      this.#heard = new Map();
      try {
        await this.services.ask(ReportContacts, { contacts });
      } catch {
        // Nobody sweeps while nobody is told; what is newer by then counts.
        this.#heard = new Map([...contacts, ...this.#heard]);
      }
    });
    return this.#telling;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.tell();
  }
}
