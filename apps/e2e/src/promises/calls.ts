import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Trigger } from '../testing/flagfall.js';

/** Much longer than any answer may take, a frozen database included (architecture.md §2.7, libs/persistence), on a machine with other things to do: a call that takes longer hangs. */
const hangMs = 120_000;
/** Processes start anew meanwhile. */
const waitMs = 100_000;

/** What a call asks for. */
export interface Ask extends Trigger {
  /** `main` unless given. */
  ref?: string;
  /** It must never get a pipeline: its token or ref does not exist. */
  wrong?: boolean;
}

/** What a caller was told about one trigger request. */
export interface Told {
  /** Sent as the variable NUMBER, so that its pipeline can be found whatever was answered. */
  number: string;
  wrong: boolean;
  /** Undefined where no answer came. */
  status: number | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- a pipeline, an acceptance or a refusal
  body: any;
  headers: Headers;
  tookMs: number;
}

let calls = 0;

/**
 * Starts a pipeline as any caller would; never throws where no answer comes.
 * @throws Error when the call hangs
 */
export async function call(
  url: string,
  { projectId, token, ref = 'main', wrong = false }: Ask,
  headers: Record<string, string> = {},
): Promise<Told> {
  const number = String(++calls);
  const body = new URLSearchParams({ token, ref, 'variables[NUMBER]': number });
  const began = performance.now();
  try {
    const answer = await fetch(`${url}/api/v4/projects/${projectId}/trigger/pipeline`, {
      method: 'POST',
      body,
      headers,
      signal: AbortSignal.timeout(hangMs),
    });
    const told = { number, wrong, status: answer.status, headers: answer.headers, body: await answer.json() };
    return { ...told, tookMs: performance.now() - began };
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') throw new Error(`call ${number} of ${url} hung`, { cause: error });
    const tookMs = performance.now() - began;
    return { number, wrong, status: undefined, headers: new Headers(), body: undefined, tookMs };
  }
}

/** Callers at work: each calls again as soon as it was answered, in turn on every address. */
export class Callers {
  readonly told: Told[] = [];
  /** Resolves once all calls are made. */
  readonly done: Promise<unknown>;
  #begun = 0;

  /** @param count of calls; @param callers at a time */
  constructor(
    private readonly urls: readonly string[],
    private readonly trigger: Trigger,
    private readonly count: number,
    callers: number,
  ) {
    this.done = Promise.all(Array.from({ length: callers }, () => this.#work()));
    this.done.catch(() => undefined);
  }

  /** Waits for so many answers. */
  async answered(count: number): Promise<void> {
    await until(`${count} answers`, () => this.told.length >= count, waitMs);
  }

  async #work(): Promise<void> {
    while (this.#begun < this.count) {
      const url = this.urls[this.#begun++ % this.urls.length]!;
      const told = await call(url, this.trigger);
      this.told.push(told);
      if (told.status === undefined) await isThere(url);
    }
  }
}

/** Who finds nobody there looks again later, and does not use up the calls. */
async function isThere(url: string): Promise<void> {
  await until(`${url} to be there again`, async () => (await fetch(`${url}/-/liveness`)).ok, waitMs);
}
