import { RepositoryUnreadable } from './repository-errors.js';

interface Waiting {
  start(): void;
}

/**
 * Bounds how much runs at once without letting a hanging repository hold up the others: of one project one task runs, of all projects
 * `atOnce`; a task that takes longer than `slowAfterMs` gives its place back and counts against `atMost` only.
 */
export class FetchLanes {
  readonly #projects = new Map<number, Promise<unknown>>();
  readonly #waiting = new Set<Waiting>();
  #quick = 0;
  #running = 0;

  /** Times in milliseconds; a task that found no place in `waitMs` fails. */
  constructor(private readonly options: { atOnce: number; atMost: number; slowAfterMs: number; waitMs: number }) {}

  /**
   * Runs the task when the project's lane and a place are free.
   * @throws RepositoryUnreadable, transient, when no place became free in time; what the task throws
   */
  run<T>(projectId: number, task: () => Promise<T>): Promise<T> {
    const before = this.#projects.get(projectId) ?? Promise.resolve();
    const result = before.then(() => this.#inPlace(task));
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#projects.set(projectId, settled);
    void settled.then(() => {
      if (this.#projects.get(projectId) === settled) this.#projects.delete(projectId);
    });
    return result;
  }

  async #inPlace<T>(task: () => Promise<T>): Promise<T> {
    await this.#place();
    let quick = true;
    const leave = () => {
      if (quick) this.#quick -= 1;
      quick = false;
      this.#admit();
    };
    const slow = setTimeout(leave, this.options.slowAfterMs);
    try {
      return await task();
    } finally {
      clearTimeout(slow);
      this.#running -= 1;
      leave();
    }
  }

  #place(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        start: () => {
          clearTimeout(limit);
          resolve();
        },
      };
      const limit = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new RepositoryUnreadable({ transient: true, reason: 'too many other repositories do not answer' }));
      }, this.options.waitMs);
      this.#waiting.add(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#quick >= this.options.atOnce || this.#running >= this.options.atMost) return;
      this.#waiting.delete(waiting);
      this.#quick += 1;
      this.#running += 1;
      waiting.start();
    }
  }
}
