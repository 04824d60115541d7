import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Trigger } from '../testing/flagfall.js';
import { call, type Told } from './calls.js';

const tickMs = 10;
const answersLimitMs = 120_000;

/** Calls that come at their own pace, whether those before were answered or not, in turn on every address. */
export class SteadyLoad {
  readonly told: Told[] = [];
  readonly #began = performance.now();
  readonly #open = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #due = 0;
  #made = 0;
  #tookMs = 0;
  #fault: unknown;

  /**
   * @param perSecond calls begun; fewer where `mostOpen` are without an answer
   */
  constructor(
    private readonly urls: readonly string[],
    private readonly trigger: Trigger,
    private readonly perSecond: number,
    private readonly mostOpen = 500,
  ) {
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Calls begun each second, over all of the time. */
  get rate(): number {
    return (this.#made / (this.#tookMs || performance.now() - this.#began)) * 1000;
  }

  /** Waits for so many more pipelines. */
  async creates(count: number): Promise<void> {
    const created = () => this.told.filter(({ status }) => status === 201).length;
    const wanted = created() + count;
    await until(`${count} pipelines`, () => created() >= wanted, answersLimitMs);
  }

  /** Waits for so many more answers, whatever they are. */
  async answers(count: number): Promise<void> {
    const wanted = this.told.length + count;
    await until(`${count} answers`, () => this.told.length >= wanted, answersLimitMs);
  }

  /** Begins no more calls and waits for all answers. @throws Error when one never comes */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#tookMs ||= performance.now() - this.#began;
    await Promise.all(this.#open);
    if (this.#fault) throw this.#fault;
  }

  #tick(): void {
    const due = Math.floor(((performance.now() - this.#began) / 1000) * this.perSecond);
    for (; this.#due < due; this.#due++) if (this.#open.size < this.mostOpen) this.#begin();
  }

  #begin(): void {
    const url = this.urls[this.#made++ % this.urls.length]!;
    const made = call(url, this.trigger).then(
      (told) => void this.told.push(told),
      (fault: unknown) => (this.#fault ??= fault),
    ) as Promise<void>;
    this.#open.add(made);
    void made.then(() => this.#open.delete(made));
  }
}
