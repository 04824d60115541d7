import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Ask, call, type Told } from './calls.js';

const tickMs = 10;
const answersLimitMs = 240_000;

/** Calls that come at their own pace, whether those before were answered or not, in turn on every address. */
export class SteadyLoad {
  readonly told: Told[] = [];
  readonly #asks: readonly Ask[];
  readonly #began = performance.now();
  /** Calls without an answer, by address. */
  readonly #open = new Map<string, Set<Promise<void>>>();
  readonly #timer: NodeJS.Timeout;
  #due = 0;
  #turn = 0;
  #made = 0;
  #tookMs = 0;
  #fault: unknown;

  /**
   * @param asks what the calls ask for, in turn
   * @param perSecond calls begun; fewer where `mostOpen` at an address are without an answer, so that one that is frozen does not hold up the others
   */
  constructor(
    private readonly urls: readonly string[],
    asks: Ask | readonly Ask[],
    private readonly perSecond: number,
    private readonly mostOpen = 200,
  ) {
    this.#asks = [asks].flat();
    for (const url of urls) this.#open.set(url, new Set());
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
    await Promise.all([...this.#open.values()].flatMap((calls) => [...calls]));
    if (this.#fault) throw this.#fault;
  }

  #tick(): void {
    const due = Math.floor(((performance.now() - this.#began) / 1000) * this.perSecond);
    for (; this.#due < due; this.#due++) this.#begin();
  }

  #begin(): void {
    const url = this.urls[this.#turn % this.urls.length]!;
    const ask = this.#asks[this.#turn++ % this.#asks.length]!;
    const open = this.#open.get(url)!;
    if (open.size >= this.mostOpen) return;
    this.#made++;
    const made = call(url, ask).then(
      (told) => void this.told.push(told),
      (fault: unknown) => (this.#fault ??= fault),
    ) as Promise<void>;
    open.add(made);
    void made.then(() => open.delete(made));
  }
}
