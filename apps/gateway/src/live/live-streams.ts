import type { ServerResponse } from 'node:http';
import { tooManyRequests, unavailable } from '#libs/contracts';
import { type Change, LiveLog } from './live-log.js';

export interface StreamLimits {
  /** In this replica. */
  streams: number;
  /** Of one viewer: browsers open one for each page. */
  perViewer: number;
  /** Of all together who are not signed in. */
  anonymous: number;
  /** A reader that has let so much wait is gone, or of no use. */
  waitingBytes: number;
  /** Nobody is told anything on the word of a check that is older, in milliseconds. */
  trustedMs: number;
}

/** One page that watches one project. */
export interface LiveStream {
  projectId: number;
  /** The number of a user, null for somebody who is not signed in. */
  userId: number | null;
  /** Its head has been written. */
  sink: ServerResponse;
  /** Rejects once the viewer may not watch any more. */
  check: () => Promise<unknown>;
}

/** A stream that is open, and what it is to be told. */
interface Watching extends LiveStream {
  waiting: string;
  checking: boolean;
  checkedAt: number;
}

/** How long those who are one too many are to wait, in seconds. */
const retrySeconds = 10;
/** How soon a page comes back whose stream broke. */
const reconnectMs = 2_000;
/** After the broker is back until messages surely arrive again: consumers try once a second to connect. */
const settleMs = 2_000;

/** The streams of events that pages hold open at this replica (text/event-stream of the HTML standard). */
export class LiveStreams {
  readonly #log: LiveLog;
  readonly #limits: StreamLimits;
  readonly #heartbeatMs: number;
  readonly #streams = new Set<Watching>();
  readonly #byProject = new Map<number, Set<Watching>>();
  readonly #settling = new Set<NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param heartbeatMs how often each stream gets a sign of life, and its viewer is checked */
  constructor(log: LiveLog, limits: StreamLimits, heartbeatMs: number) {
    this.#log = log;
    this.#limits = limits;
    this.#heartbeatMs = heartbeatMs;
  }

  /** How many are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** @throws Refusal 429 or 503 when there cannot be another stream */
  admit(userId: number | null): void {
    if (this.#stopped || this.#streams.size >= this.#limits.streams) throw unavailable(retrySeconds);
    const own = [...this.#streams].filter((stream) => stream.userId === userId).length;
    if (own >= (userId === null ? this.#limits.anonymous : this.#limits.perViewer)) throw tooManyRequests(retrySeconds);
  }

  /**
   * Begins a stream that was admitted.
   * @param place id of the last event that the page got, where its stream broke
   */
  open(admitted: LiveStream, place: string | undefined): void {
    const stream: Watching = { ...admitted, waiting: '', checking: false, checkedAt: performance.now() };
    const { projectId, sink } = stream;
    const watching = this.#byProject.get(projectId) ?? new Set();
    this.#byProject.set(projectId, watching.add(stream));
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.#beat(), this.#heartbeatMs).unref();
    sink.once('close', () => this.#remove(stream));
    // Whoever goes away in the middle is no fault.
    sink.on('error', () => sink.destroy());
    const missed = place === undefined ? [] : this.#log.since(place, projectId);
    this.#write(
      stream,
      `retry: ${reconnectMs}\n${missed ? this.#here() : this.#reset()}${missed?.map(({ text }) => text).join('') ?? ''}`,
    );
  }

  /** Tells what has changed to those who watch its project. */
  tell(changes: readonly Change[]): void {
    const texts = new Map<number, string>();
    for (const { projectId, text } of this.#log.add(changes))
      if (this.#byProject.has(projectId)) texts.set(projectId, (texts.get(projectId) ?? '') + text);
    for (const [projectId, text] of texts)
      for (const stream of this.#byProject.get(projectId) ?? []) this.#say(stream, text);
  }

  /** Messages may have been lost until now: those who watch, and those who come back, have to read again. */
  missed(): void {
    this.#log.forget();
    const watching = [...this.#streams];
    const timer = setTimeout(() => {
      this.#settling.delete(timer);
      this.#log.forget();
      for (const stream of watching) if (this.#streams.has(stream)) this.#write(stream, this.#reset());
    }, settleMs).unref();
    this.#settling.add(timer);
  }

  /** Ends all streams, and begins no more. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const timer of this.#settling) clearTimeout(timer);
    for (const { sink } of this.#streams) sink.end();
  }

  #beat(): void {
    for (const stream of this.#streams) {
      stream.waiting += `:\n${this.#here()}`;
      this.#check(stream);
    }
  }

  /** Tells something to whoever may still watch. */
  #say(stream: Watching, text: string): void {
    stream.waiting += text;
    if (performance.now() - stream.checkedAt < this.#limits.trustedMs && !stream.checking) this.#flush(stream);
    else this.#check(stream);
  }

  /** Asks whether the viewer may watch before they hear what waits; ends the stream when they may not. */
  #check(stream: Watching): void {
    if (stream.checking) return;
    stream.checking = true;
    const askedAt = performance.now();
    stream.check().then(
      () => {
        stream.checking = false;
        stream.checkedAt = askedAt;
        this.#flush(stream);
      },
      () => stream.sink.end(),
    );
  }

  #flush(stream: Watching): void {
    const { waiting } = stream;
    stream.waiting = '';
    this.#write(stream, waiting);
  }

  /** An id without an event moves the place from which a page comes back, though nothing concerned it. */
  #here(): string {
    return `id: ${this.#log.position}\n\n`;
  }

  #reset(): string {
    return `event: reset\ndata: {}\n${this.#here()}`;
  }

  #write({ sink }: Watching, text: string): void {
    if (sink.writableEnded || sink.destroyed) return;
    sink.write(text);
    if (sink.writableLength > this.#limits.waitingBytes) sink.destroy();
  }

  #remove(stream: Watching): void {
    this.#streams.delete(stream);
    const watching = this.#byProject.get(stream.projectId);
    watching?.delete(stream);
    if (watching?.size === 0) this.#byProject.delete(stream.projectId);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
