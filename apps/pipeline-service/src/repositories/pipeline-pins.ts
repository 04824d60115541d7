import { Coalescing } from './coalescing.js';
import { GitFailed } from './git-command.js';
import { describeFailure, isMissingObject } from './git-failure.js';
import type { Mirrors } from './mirrors.js';
import type { RepositoryAddress } from './repository-address.js';
import { CommitNotFound } from './repository-errors.js';

export interface Pin {
  address: RepositoryAddress;
  sha: string;
  pipelineId: number;
}

/** A command line has a limit. */
const mostAtOnce = 200;

/**
 * Points `refs/pipelines/<id>` of a project's mirror to the commit of each pipeline. A pin costs a process, so those that come
 * together are written together.
 */
export class PipelinePins {
  readonly #pins = new Coalescing<Pin, ReadonlyMap<number, unknown>>((_key, pins) => this.#pinAll(pins));

  /**
   * @param isComplete whether the mirror has this commit with all that belongs to it
   * @param has whether the mirror has this commit now; it may have been removed or rebuilt by another process since it was complete
   * @param copy brings commits into the mirror, with refspecs that point to them
   */
  constructor(
    private readonly mirrors: Mirrors,
    private readonly isComplete: (projectId: number, sha: string) => boolean,
    private readonly has: (projectId: number, sha: string) => Promise<boolean>,
    private readonly copy: (address: RepositoryAddress, shas: string[], refspecs: string[]) => Promise<void>,
    private readonly limitMs: number,
  ) {}

  /** @throws CommitNotFound, RepositoryUnreadable */
  async pin(pin: Pin): Promise<void> {
    // A ref is written last, so what it points to is there with all that belongs to it.
    const { projectId } = pin.address;
    if (await this.mirrors.pointsTo(projectId, refOf(pin), pin.sha)) return;
    const isThere = this.isComplete(projectId, pin.sha) && (await this.has(projectId, pin.sha).catch(() => false));
    if (isThere && (await this.mirrors.writeRef(projectId, refOf(pin), pin.sha))) return;
    const failures = await this.#pins.ask(JSON.stringify(pin.address), pin);
    if (failures.has(pin.pipelineId)) throw failures.get(pin.pipelineId);
  }

  /** Gives the failures by pipeline; together first, and one by one where that failed, so that one bad commit hurts nobody else. */
  async #pinAll(pins: readonly Pin[]): Promise<ReadonlyMap<number, unknown>> {
    const failures = new Map<number, unknown>();
    for (let start = 0; start < pins.length; start += mostAtOnce) {
      const some = pins.slice(start, start + mostAtOnce);
      const together = await this.#tryPin(some);
      if (together === undefined) continue;
      for (const pin of some) {
        // Another failure is the repository's: asking again for each would only multiply the time it takes.
        const alone = some.length > 1 && together instanceof CommitNotFound;
        const failure = alone ? await this.#tryPin([pin]) : together;
        if (failure !== undefined) failures.set(pin.pipelineId, failure);
      }
    }
    return failures;
  }

  async #tryPin(pins: readonly Pin[]): Promise<Error | undefined> {
    try {
      await this.#write(pins);
      return undefined;
    } catch (error) {
      if (error instanceof CommitNotFound) return error;
      return isMissingObject(error) ? new CommitNotFound() : describeFailure(error, this.limitMs);
    }
  }

  async #write(pins: readonly Pin[]): Promise<void> {
    const { address } = pins[0]!;
    if (pins.every(({ sha }) => this.isComplete(address.projectId, sha))) {
      try {
        await this.mirrors.ensure(address.projectId, pins[0]!.sha);
        await this.mirrors.updateRefs(address.projectId, new Map(pins.map((pin) => [refOf(pin), pin.sha])));
        return;
      } catch (error) {
        // Another process may have removed or rebuilt the mirror.
        if (!(error instanceof GitFailed) || error.ending !== 'exit') throw error;
      }
    }
    const shas = [...new Set(pins.map(({ sha }) => sha))];
    await this.copy(
      address,
      shas,
      pins.map((pin) => `+${pin.sha}:${refOf(pin)}`),
    );
  }
}

function refOf({ pipelineId }: Pin): string {
  return `refs/pipelines/${pipelineId}`;
}
