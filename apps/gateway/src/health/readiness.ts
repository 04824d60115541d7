import { Injectable } from '@nestjs/common';
import { type HealthReport, inTime } from '#libs/process';

export interface ReadinessCheck {
  /** As it appears in the answer: `database`, `broker`, `pipeline-service`. */
  name: string;
  /** False, or an error, means no. */
  check: () => boolean | Promise<boolean>;
  /**
   * Until when a "no" makes the whole gateway not ready: `always`, or `start`, the first time that everything said yes. The broker may
   * go away later, since triggers are accepted without it (architecture.md §4).
   */
  needed: 'always' | 'start';
}

const limitMs = 2_000;

/** The parts of the gateway say here how one sees whether they work. */
@Injectable()
export class Readiness {
  readonly #checks: ReadinessCheck[] = [];
  #started = false;

  /** @throws Error for a name that is taken */
  register(check: ReadinessCheck): void {
    if (this.#checks.some(({ name }) => name === check.name))
      throw new Error(`There are two readiness checks ${check.name}`);
    this.#checks.push(check);
  }

  /** Asks all of them at once; one that has not answered after two seconds says no. */
  async report(): Promise<HealthReport> {
    const answers = await Promise.all(
      this.#checks.map(async (check) => ({ ...check, ok: (await inTime(limitMs, check.check)) === true })),
    );
    this.#started ||= answers.every(({ ok }) => ok);
    return {
      ready: this.#started && answers.every(({ ok, needed }) => ok || needed === 'start'),
      checks: Object.fromEntries(answers.map(({ name, ok }) => [name, ok ? 'ok' : 'failed'])),
    };
  }
}
