import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { PipelineTriggered, tooLargeForJobs, type TriggerOutcome, unavailable } from '#libs/contracts';
import { type Bus, type Message, PublishFailed } from '#libs/messaging';
import { Batches } from '#libs/persistence';
import { derivedStatusToken, type IdempotencyKey } from './idempotency-key.js';
import type { Ledger, TriggerRequest } from './ledger.js';

/** How long a caller waits before it is told where to ask instead, and how many may wait. */
export interface WaitingLimits {
  timeoutMs: number;
  callers: number;
}

/** What a caller gets: the outcome, or the secret part of the URL that will tell it. */
export type TriggerAnswer = ({ outcome: TriggerOutcome } | { requestId: string; statusToken: string }) & {
  /** An earlier call with the same idempotency key was the one that counted. */
  replayed?: true;
};

/** Messages that may share one AMQP message; as many as a commit usually carries. */
const publishBatch = 100;
const republishBatch = 200;
const lookAgainMs = 1_000;
/** How often it is looked whether requests that calls here repeat have their outcome, which may be told to another replica alone. */
const repeatedLookMs = 250;
/** While so many AMQP messages wait for the pipeline service, each of up to `publishBatch` requests, copies of them would only make it more. */
const longQueue = 100;
const triggeredQueue = `pipeline-service.${PipelineTriggered.type}`;
/**
 * Recording, waiting and looking up each have a limit of their own, which a database that is slow and not away may come near to one after the other. What
 * becomes of the request is not known then, as when a commit is lost.
 */
const answerMs = 15_000;
/** RabbitMQ takes messages of 16 MiB at most, and the jobs that get these variables are handed out in one too, beside their scripts. */
const mostBytes = 14 * 1024 * 1024;

/**
 * The life of a trigger request in the gateway: record, publish, wait for the outcome, answer (architecture.md §2.3–2.8).
 * Whatever happens to the broker, the pipeline service or this process after the record, the request is published until it is settled.
 */
export class TriggerRequests {
  readonly #ledger: Ledger;
  readonly #bus: Bus;
  readonly #limits: WaitingLimits;
  readonly #log: Logger;
  /** Callers that wait, by the request whose outcome they wait for. */
  readonly #waiting = new Map<string, Set<(outcome: TriggerOutcome | null) => void>>();
  #callers = 0;
  /** Requests that calls here repeat. */
  readonly #repeated = new Set<string>();
  #looking: Promise<void> | undefined;
  readonly #publishing: Batches<TriggerRequest, PublishFailed | null>;
  #timer: NodeJS.Timeout | undefined;
  #republishing: Promise<void> | undefined;
  #forgetListener: (() => void) | undefined;
  #stopping = false;

  constructor(ledger: Ledger, bus: Bus, limits: WaitingLimits, log: Logger) {
    this.#ledger = ledger;
    this.#bus = bus;
    this.#limits = limits;
    this.#log = log;
    // Many lanes: in process a publish lasts as long as its handlers.
    this.#publishing = new Batches((requests) => this.#publish(requests), { limit: publishBatch, lanes: 64 });
  }

  /** How many callers wait for their outcome. */
  get callers(): number {
    return this.#callers;
  }

  /**
   * Accepts a request that has been authenticated.
   *
   * @param respondAsync the caller does not want to wait
   * @param key under which the request may be repeated: then it is accepted once, and every call gets the first one's answer
   * @throws Refusal 413 when no message could carry it, 422 when the key stands for another request; 503 when nothing is known of it in time;
   *   LedgerUnavailable when it may not have been recorded
   */
  async accept(request: TriggerRequest, respondAsync: boolean, key?: IdempotencyKey): Promise<TriggerAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unavailable()), answerMs);
    });
    try {
      return await Promise.race([this.#accept(request, respondAsync, key), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #accept(request: TriggerRequest, respondAsync: boolean, key?: IdempotencyKey): Promise<TriggerAnswer> {
    if (isTooLarge(request)) throw tooLargeForJobs(mostBytes);
    const waits = !respondAsync && !this.#stopping && this.#bus.connected && this.#callers < this.#limits.callers;
    const outcome = waits ? this.#outcomeOf(request.requestId) : Promise.resolve(null);
    let first = request.requestId;
    try {
      if (key) first = await this.#ledger.recordOnce(request, key);
      else await this.#ledger.record(request);
    } catch (error) {
      this.#tell(request.requestId, null);
      throw error;
    }
    if (first === request.requestId) void this.#say(request);
    else this.#tell(request.requestId, null);
    const settled = await (first === request.requestId ? outcome : this.#repeatedOutcome(first, waits));
    const answer = await this.#answer(first, settled ?? (waits ? await this.#ledger.outcome(first) : null), key);
    return first === request.requestId ? answer : { ...answer, replayed: true };
  }

  /** The outcome, or where to ask for it. */
  async #answer(requestId: string, outcome: TriggerOutcome | null, key?: IdempotencyKey): Promise<TriggerAnswer> {
    if (outcome) return { outcome };
    const statusToken = key ? derivedStatusToken(key, requestId) : randomBytes(16).toString('hex');
    await this.#ledger.addStatusToken(requestId, statusTokenHash(statusToken));
    return { requestId, statusToken };
  }

  /**
   * The outcome of a request that another call made, perhaps at another replica; null when there is none in time. It comes by the same notice as the
   * other call's where that is told here, and is looked for beside that, for all who wait at once.
   */
  async #repeatedOutcome(requestId: string, waits: boolean): Promise<TriggerOutcome | null> {
    const known = await this.#ledger.outcome(requestId);
    if (known || !waits || this.#stopping) return known;
    const outcome = this.#outcomeOf(requestId);
    this.#repeated.add(requestId);
    this.#looking ??= this.#lookForRepeated().finally(() => (this.#looking = undefined));
    return outcome;
  }

  async #lookForRepeated(): Promise<void> {
    while (this.#repeated.size > 0) {
      try {
        for (const outcome of await this.#ledger.outcomes([...this.#repeated])) this.#tell(outcome.requestId, outcome);
      } catch (error) {
        this.#log.warn({ err: error }, 'outcomes of repeated trigger requests could not be looked up');
      }
      if (this.#repeated.size > 0) await sleep(repeatedLookMs);
    }
  }

  /** Settles rows and answers those who wait. Callers first: the pipelines exist, whatever becomes of the rows. */
  async settle(outcomes: TriggerOutcome[]): Promise<void> {
    for (const outcome of outcomes) this.#tell(outcome.requestId, outcome);
    await this.#ledger.settle(outcomes);
  }

  /** Starts publishing again what was not settled in time. */
  start(): void {
    this.#timer ??= setInterval(() => this.#republish(), lookAgainMs).unref();
    this.#forgetListener ??= this.#bus.onConnected(() => this.#republish());
  }

  /** Stops, and sends those who still wait, and those who come, to their status URL. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.#forgetListener?.();
    await this.#republishing;
    for (const requestId of this.#waiting.keys()) this.#tell(requestId, null);
    await this.#looking;
  }

  /** Waits for the time that a caller waits at most. */
  #outcomeOf(requestId: string): Promise<TriggerOutcome | null> {
    this.#callers++;
    return new Promise((resolve) => {
      const callers = this.#waiting.get(requestId) ?? new Set();
      const answer = (outcome: TriggerOutcome | null): void => {
        clearTimeout(timer);
        this.#callers--;
        callers.delete(answer);
        if (callers.size === 0) {
          this.#waiting.delete(requestId);
          this.#repeated.delete(requestId);
        }
        resolve(outcome);
      };
      const timer = setTimeout(answer, this.#limits.timeoutMs, null);
      this.#waiting.set(requestId, callers.add(answer));
    });
  }

  /** Answers all who wait for a request here. */
  #tell(requestId: string, outcome: TriggerOutcome | null): void {
    for (const answer of this.#waiting.get(requestId) ?? []) answer(outcome);
  }

  /** Publishes; when that fails the caller need not wait, and the row is published as soon as it can be. */
  async #say(request: TriggerRequest): Promise<void> {
    try {
      if (!(await this.#publishing.add(request))) return;
      this.#tell(request.requestId, null);
      await this.#ledger.publishSoon([request.requestId]);
    } catch (error) {
      this.#log.warn({ err: error, request: request.requestId }, 'a trigger request will be published late');
    }
  }

  /** For each request null once the broker has it, else why it may not have it. */
  async #publish(requests: TriggerRequest[]): Promise<(PublishFailed | null)[]> {
    try {
      await this.#bus.publish(requests.map((request) => this.#message(request)));
      return requests.map(() => null);
    } catch (error) {
      if (!(error instanceof PublishFailed)) throw error;
      const failed = new Set(error.ids);
      return requests.map(({ requestId }) => (failed.has(requestId) ? error : null));
    }
  }

  /** Headers are for the delivery log alone. */
  #message({ headers: _headers, ...request }: TriggerRequest): Message<PipelineTriggered> {
    return {
      // Published again it is the same event.
      id: request.requestId,
      type: PipelineTriggered.type,
      source: '/gateway',
      time: request.receivedAt,
      data: { ...request, replyTo: this.#bus.instance },
    };
  }

  #republish(): void {
    this.#republishing ??= this.#republishDue()
      .catch((error: unknown) =>
        this.#log.warn({ err: error }, 'unsettled trigger requests could not be published again'),
      )
      .finally(() => (this.#republishing = undefined));
  }

  async #republishDue(): Promise<void> {
    while (this.#bus.connected && (await this.#ledger.hasDue())) {
      const { waiting, consumers } = await this.#bus.backlog(triggeredQueue);
      // Where nobody takes them, the queue keeps what it has until somebody does: the first copies are as good as the next.
      if (waiting >= longQueue || (waiting > 0 && consumers === 0)) return;
      const due = await this.#ledger.claimDue(republishBatch);
      for (const request of due) void this.#say(request);
      if (due.length < republishBatch) return;
    }
  }
}

/** A character of the payload takes at most three bytes there, and as many again among the variables: small requests need not be measured. */
function isTooLarge(request: TriggerRequest): boolean {
  return request.payload.length * 6 > mostBytes && Buffer.byteLength(JSON.stringify(request)) > mostBytes;
}

/** Of a status URL only the hash of its secret part is kept. */
export function statusTokenHash(statusToken: string): Buffer {
  return createHash('sha256').update(statusToken).digest();
}
