import { api, send } from '../api/http.js';

/** The part of a log that is new. */
export interface LogPart {
  text: string;
  /** The log was erased or replaced: everything shown so far is void. */
  fresh: boolean;
}

/** Reads a growing log: each call fetches what the calls before did not. Characters of several bytes are put together. */
export class LogReader {
  readonly #url: string;
  #offset = 0;
  #decoder = new TextDecoder();

  constructor(projectId: number, jobId: number) {
    this.#url = api(`projects/${projectId}/jobs/${jobId}/trace`);
  }

  /** @throws ApiError */
  async read(signal: AbortSignal): Promise<LogPart> {
    const response = await fetch(this.#url, {
      signal,
      credentials: 'same-origin',
      headers: this.#offset > 0 ? { Range: `bytes=${this.#offset}-` } : {},
    });
    if (response.status === 416) return this.#unchanged(response, signal);
    if (!response.ok) {
      // For its words.
      await send('GET', this.#url, undefined, signal);
      return { text: '', fresh: false };
    }
    const bytes = await response.arrayBuffer();
    const fresh = response.status === 200 && this.#offset > 0;
    if (fresh) this.#decoder = new TextDecoder();
    this.#offset = (response.status === 200 ? 0 : this.#offset) + bytes.byteLength;
    return { text: this.#decoder.decode(bytes, { stream: true }), fresh };
  }

  /** Nothing new, or the log is shorter than it was. */
  async #unchanged(response: Response, signal: AbortSignal): Promise<LogPart> {
    const size = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? this.#offset);
    if (size >= this.#offset) return { text: '', fresh: false };
    this.#offset = 0;
    this.#decoder = new TextDecoder();
    const { text } = await this.read(signal);
    return { text, fresh: true };
  }
}
