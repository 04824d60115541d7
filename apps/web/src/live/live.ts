import { type InjectionKey, inject, onScopeDispose } from 'vue';
import { type LiveEvent, LiveStream, Places } from './live-stream.js';

type Listener = (event: LiveEvent) => void;

/** How long a page that was just read again is not read again, in milliseconds: many jobs change at once. */
const restMs = 400;

/** What happens in the project that this tab looks at. The tabs of a browser share their streams, where it has shared workers. */
export class Live {
  readonly #projectId: number;
  readonly #listeners = new Set<Listener>();
  #stop: () => void = () => undefined;

  constructor(projectId: number) {
    this.#projectId = projectId;
    this.#start();
    document.addEventListener('visibilitychange', this.#seen);
    window.addEventListener('pagehide', this.#hidden);
    window.addEventListener('pageshow', this.#shown);
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#stop();
    document.removeEventListener('visibilitychange', this.#seen);
    window.removeEventListener('pagehide', this.#hidden);
    window.removeEventListener('pageshow', this.#shown);
  }

  #start(): void {
    if (!('SharedWorker' in window)) {
      const stream = new LiveStream(this.#projectId, new Places(1), this.#say);
      this.#stop = () => stream.close();
      return;
    }
    const { port } = new SharedWorker(new URL('./live-worker.ts', import.meta.url), { type: 'module' });
    port.addEventListener('message', ({ data }: MessageEvent<LiveEvent>) => this.#say(data));
    port.start();
    port.postMessage(this.#projectId);
    this.#stop = () => {
      port.postMessage(null);
      port.close();
    };
  }

  /** A browser that slept may have missed anything. */
  readonly #seen = (): void => {
    if (!document.hidden) this.#say({ kind: 'reset' });
  };

  readonly #hidden = (): void => this.#stop();

  /** Back from where browsers keep pages that were left. */
  readonly #shown = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) return;
    this.#start();
    this.#say({ kind: 'reset' });
  };

  readonly #say = (event: LiveEvent): void => {
    for (const listener of this.#listeners) listener(event);
  };
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
