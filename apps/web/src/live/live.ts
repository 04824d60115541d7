import { type InjectionKey, inject, onScopeDispose } from 'vue';

/** Something of a project changed; `reset` says that anything may have. */
export type LiveEvent =
  | { kind: 'pipeline'; id: number; status: string }
  | { kind: 'job'; id: number; pipelineId: number; status: string }
  | { kind: 'reset' };

type Listener = (event: LiveEvent) => void;

/** How long a page that was just read again is not read again, in milliseconds: many jobs change at once. */
const restMs = 400;
const pollMs = 5_000;
/** After so many failures in a row the stream is given up and the pages poll. */
const mostFailures = 3;
const streamAgainMs = 60_000;

/**
 * What happens in one project, told by the server as it happens. Where the stream cannot be had (a proxy that holds it back), every few seconds
 * says `reset` instead, and the stream is tried again a minute later.
 */
export class Live {
  readonly #url: string;
  readonly #listeners = new Set<Listener>();
  #source: EventSource | undefined;
  #failures = 0;
  #polling: number | undefined;
  #opened = false;

  constructor(projectId: number) {
    this.#url = `/-/projects/${projectId}/live`;
    this.#open();
    document.addEventListener('visibilitychange', this.#seen);
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#source?.close();
    window.clearInterval(this.#polling);
    document.removeEventListener('visibilitychange', this.#seen);
  }

  /** A browser that slept may have missed anything. */
  readonly #seen = (): void => {
    if (!document.hidden) this.#say({ kind: 'reset' });
  };

  #open(): void {
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#failures = 0;
      window.clearInterval(this.#polling);
      this.#polling = undefined;
      if (this.#opened && source.readyState === EventSource.OPEN) return;
      this.#opened = true;
      // What happened between the first read and now.
      this.#say({ kind: 'reset' });
    });
    source.addEventListener('pipeline', ({ data }) => {
      const { id, status } = JSON.parse(data as string) as { id: number; status: string };
      this.#say({ kind: 'pipeline', id, status });
    });
    source.addEventListener('job', ({ data }) => {
      const {
        id,
        pipeline_id: pipelineId,
        status,
      } = JSON.parse(data as string) as {
        id: number;
        pipeline_id: number;
        status: string;
      };
      this.#say({ kind: 'job', id, pipelineId, status });
    });
    source.addEventListener('reset', () => this.#say({ kind: 'reset' }));
    source.addEventListener('error', () => {
      this.#failures += 1;
      if (source.readyState !== EventSource.CLOSED && this.#failures < mostFailures) return;
      source.close();
      this.#poll();
    });
  }

  #poll(): void {
    this.#opened = false;
    this.#polling ??= window.setInterval(() => this.#say({ kind: 'reset' }), pollMs);
    window.setTimeout(() => {
      if (this.#source?.readyState === EventSource.CLOSED && this.#polling !== undefined) this.#open();
    }, streamAgainMs);
  }

  #say(event: LiveEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

export const liveKey: InjectionKey<{ current: Live | null }> = Symbol('live');

/**
 * Calls `refresh` when something happened that `concerns` the page: at once, and then not more often than every 0.4 seconds.
 */
export function useLive(refresh: () => Promise<void>, concerns: (event: LiveEvent) => boolean = () => true): void {
  const live = inject(liveKey)?.current;
  let timer: number | undefined;
  let due = false;
  const run = (): void => {
    timer = window.setTimeout(() => {
      timer = undefined;
      if (!due) return;
      due = false;
      run();
    }, restMs);
    void refresh();
  };
  const forget = live?.listen((event) => {
    if (event.kind !== 'reset' && !concerns(event)) return;
    if (timer === undefined) run();
    else due = true;
  });
  onScopeDispose(() => {
    forget?.();
    window.clearTimeout(timer);
  });
}
