import { api, send } from '../api/http.js';

/** Takes a part of a log that is new. `fresh`: the log was erased or replaced, and everything before is void. */
export type TakeLog = (text: string, fresh: boolean) => void;

/** Reads a growing log: each call fetches what the calls before did not. Characters of several bytes are put together. */
export class LogReader {
  readonly #url: string;
  #offset = 0;
  #decoder = new TextDecoder();

  constructor(projectId: number, jobId: number) {
    this.#url = api(`projects/${projectId}/jobs/${jobId}/trace`);
  }

  /**
   * Hands over what is new piece by piece, as it arrives.
   * @throws ApiError
   */
  async read(signal: AbortSignal, take: TakeLog): Promise<void> {
    const response = await fetch(this.#url, {
      signal,
      credentials: 'same-origin',
      headers: this.#offset > 0 ? { Range: `bytes=${this.#offset}-` } : {},
    });
    if (response.status === 416) return this.#unchanged(response, signal, take);
    if (!response.ok || !response.body) {
      // For its words.
      await send('GET', this.#url, undefined, signal);
      return;
    }
    if (response.status === 200 && this.#offset > 0) this.#forget(take);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#offset += value.byteLength;
      take(this.#decoder.decode(value, { stream: true }), false);
    }
  }

  /** Nothing new, or the log is shorter than it was. */
  async #unchanged(response: Response, signal: AbortSignal, take: TakeLog): Promise<void> {
    const size = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? this.#offset);
    if (size >= this.#offset) return;
    this.#forget(take);
    await this.read(signal, take);
  }

  #forget(take: TakeLog): void {
    this.#offset = 0;
    this.#decoder = new TextDecoder();
    take('', true);
  }
}
