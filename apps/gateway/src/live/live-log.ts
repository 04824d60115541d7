import type { Status } from '#libs/contracts';

/** A pipeline or a job has a status now. */
export interface Change {
  projectId: number;
  kind: 'pipeline' | 'job';
  id: number;
  /** Of a job: its pipeline. */
  pipelineId?: number;
  status: Status;
  /** Grows with each change of the same thing, so that an older one can be told. */
  version: number;
}

/** A change as it is sent. */
export interface LiveEvent {
  number: number;
  projectId: number;
  /** In the form of `text/event-stream`, with the blank line that ends it. */
  text: string;
}

export interface LogLimits {
  /** How many events are kept for those who come back. */
  events: number;
  /** Of how many pipelines and jobs it is known which version was told last. */
  things: number;
}

/** What this replica has told lately, numbered, so that a page whose stream broke can go on where it was. */
export class LiveLog {
  readonly #instance: string;
  readonly #limits: LogLimits;
  /** The event of number n is at n modulo the length. */
  readonly #events: LiveEvent[] = [];
  readonly #versions = new Map<string, number>();
  #next = 1;
  /** Nothing is known of what came before this number. */
  #first = 1;

  /** @param instance names this replica in its lifetime, so that nobody's place in another's log is taken for one in this */
  constructor(instance: string, limits: LogLimits) {
    this.#instance = instance;
    this.#limits = limits;
  }

  /** Where somebody is who has heard everything. */
  get position(): string {
    return `${this.#instance}-${this.#next - 1}`;
  }

  /**
   * Numbers and keeps changes, in their order. Left out are those that something newer is known of, also from among themselves: they may have
   * overtaken each other, or come twice.
   */
  add(changes: readonly Change[]): LiveEvent[] {
    const latest = new Map<string, Change>();
    for (const change of changes) {
      const key = `${change.kind} ${change.id}`;
      if (change.version <= (this.#versions.get(key) ?? 0)) continue;
      // Taken out first, so that those that change are the last to be forgotten.
      this.#versions.delete(key);
      this.#versions.set(key, change.version);
      latest.delete(key);
      latest.set(key, change);
    }
    for (const key of this.#versions.keys()) {
      if (this.#versions.size <= this.#limits.things) break;
      this.#versions.delete(key);
    }
    return [...latest.values()].map((change) => this.#keep(change));
  }

  /**
   * What a project's page missed.
   * @param place the id of the last event that it got
   * @returns undefined when that cannot be said
   */
  since(place: string, projectId: number): LiveEvent[] | undefined {
    const [, instance, digits] = /^(.+)-(\d{1,15})$/.exec(place) ?? [];
    const last = Number(digits);
    const oldest = Math.max(this.#first, this.#next - this.#limits.events);
    if (instance !== this.#instance || !(last >= oldest - 1 && last < this.#next)) return undefined;
    const missed: LiveEvent[] = [];
    for (let number = last + 1; number < this.#next; number++) {
      const event = this.#events[number % this.#limits.events];
      if (event?.projectId === projectId) missed.push(event);
    }
    return missed;
  }

  /** Something may have happened that was not heard of: whoever comes back from before cannot go on. */
  forget(): void {
    this.#first = this.#next += 1;
  }

  #keep({ projectId, kind, id, pipelineId, status }: Change): LiveEvent {
    const number = this.#next++;
    const data = JSON.stringify(kind === 'job' ? { id, pipeline_id: pipelineId, status } : { id, status });
    const event = { number, projectId, text: `id: ${this.#instance}-${number}\nevent: ${kind}\ndata: ${data}\n\n` };
    this.#events[number % this.#limits.events] = event;
    return event;
  }
}
