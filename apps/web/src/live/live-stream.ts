/** Something of a project changed; `reset` says that anything may have. */
export type LiveEvent =
  | { kind: 'pipeline'; id: number; status: string }
  | { kind: 'job'; id: number; pipelineId: number; status: string }
  | { kind: 'reset' };

/** Connections for streams: a browser has six to one host over HTTP/1.1, for all tabs, and pages need some. */
export class Places {
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** @returns whether there was one */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  giveBack(): void {
    this.#free += 1;
  }
}

const pollMs = 5_000;
/** After so many failures in a row the stream is given up for a while. */
const mostFailures = 3;
const streamAgainMs = 60_000;

/**
 * What happens in one project, told by the server as it happens. While there is no place for a stream, or it cannot be had (a proxy that holds it
 * back), `reset` is said every few seconds instead. Works in a page and in a worker.
 */
export class LiveStream {
  readonly #url: string;
  readonly #tell: (event: LiveEvent) => void;
  readonly #places: Places;
  #source: EventSource | undefined;
  #polling: ReturnType<typeof setInterval> | undefined;
  #failures = 0;

  constructor(projectId: number, places: Places, tell: (event: LiveEvent) => void) {
    this.#url = `/-/projects/${projectId}/live`;
    this.#places = places;
    this.#tell = tell;
    if (!this.#open()) this.#poll(0);
  }

  close(): void {
    this.#leave();
    clearInterval(this.#polling);
  }

  #open(): boolean {
    if (!this.#places.take()) return false;
    const source = (this.#source = new EventSource(this.#url));
    let opened = false;
    source.addEventListener('open', () => {
      this.#failures = 0;
      // What happened between the first read and now. Later on the server says what was missed.
      if (!opened) this.#tell({ kind: 'reset' });
      opened = true;
    });
    source.addEventListener('pipeline', ({ data }) => {
      const { id, status } = JSON.parse(data as string) as { id: number; status: string };
      this.#tell({ kind: 'pipeline', id, status });
    });
    source.addEventListener('job', ({ data }) => {
      const {
        id,
        pipeline_id: pipelineId,
        status,
      } = JSON.parse(data as string) as Record<'id' | 'pipeline_id', number> & {
        status: string;
      };
      this.#tell({ kind: 'job', id, pipelineId, status });
    });
    source.addEventListener('reset', () => this.#tell({ kind: 'reset' }));
    source.addEventListener('error', () => {
      this.#failures += 1;
      if (source.readyState !== EventSource.CLOSED && this.#failures < mostFailures) return;
      this.#leave();
      this.#poll(streamAgainMs);
    });
    return true;
  }

  #leave(): void {
    if (!this.#source) return;
    this.#source.close();
    this.#source = undefined;
    this.#places.giveBack();
  }

  /** @param restMs until a stream is tried again */
  #poll(restMs: number): void {
    const streamAgain = Date.now() + restMs;
    this.#polling = setInterval(() => {
      if (Date.now() >= streamAgain && this.#open()) clearInterval(this.#polling);
      this.#tell({ kind: 'reset' });
    }, pollMs);
  }
}
