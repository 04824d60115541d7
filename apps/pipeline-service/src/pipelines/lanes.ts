/**
 * Gives each project its share of the places for requests that wait for a repository, so that one that hangs never delays another project
 * (architecture.md §2.5). Time is an argument.
 */
export class Lanes {
  /** By project: when each request that is in it came, oldest first. */
  readonly #lanes = new Map<number, Set<{ since: number }>>();

  /**
   * @param places how many requests may be under way in all
   * @param slowMs a project whose oldest request has waited longer is slow, and gets no more than a sixteenth of the places
   */
  constructor(
    private readonly places: number,
    private readonly slowMs = 250,
  ) {}

  /** @returns what to call when the request is through; null when the project has its share */
  enter(projectId: number, now: number): (() => void) | null {
    const lane = this.#lanes.get(projectId) ?? new Set();
    const oldest = lane.values().next().value;
    const slow = oldest !== undefined && now - oldest.since > this.slowMs;
    if (lane.size >= this.places / (slow ? 16 : 2)) return null;
    const request = { since: now };
    lane.add(request);
    this.#lanes.set(projectId, lane);
    return () => {
      lane.delete(request);
      if (lane.size === 0) this.#lanes.delete(projectId);
    };
  }
}
