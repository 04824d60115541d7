/** Bodies up to this size, in bytes, find room where larger ones are refused: triggers go on while somebody floods the gateway with large ones. */
const smallBody = 64 * 1024;
/** The part of the memory that is kept for small ones. */
const keptForSmall = 1 / 8;
/** Whoever has been sending for longer makes room for others when there is none. In milliseconds. */
const patienceMs = 5_000;

/**
 * How much of this process's memory request bodies may take together, from their first bytes until their requests are answered. Bytes count as they arrive,
 * so that nobody takes room by announcing much (docs/adr/0018-memory-for-bodies.md). All times are in milliseconds of one clock.
 */
export class BodyMemory {
  readonly #limit: number;
  /** In the order in which they began to arrive. */
  readonly #arriving = new Set<BodyShare>();
  #taken = 0;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many bytes are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** For a body that begins to arrive. */
  open(now: number): BodyShare {
    const share = { bytes: 0, since: now, evicted: () => undefined };
    this.#arriving.add(share);
    return share;
  }

  /** @returns whether so many bytes more would find room now */
  fits(share: BodyShare, bytes: number, now: number): boolean {
    const limit = this.#limit * (share.bytes + bytes <= smallBody ? 1 : 1 - keptForSmall);
    for (const other of this.#arriving) {
      if (this.#taken + bytes <= limit || now - other.since <= patienceMs) break;
      if (other === share || other.bytes === 0) continue;
      this.release(other);
      other.evicted();
    }
    return this.#taken + bytes <= limit;
  }

  /** @returns whether so many bytes more were taken */
  take(share: BodyShare, bytes: number, now: number): boolean {
    if (!this.fits(share, bytes, now)) return false;
    share.bytes += bytes;
    this.#taken += bytes;
    return true;
  }

  /** All of it is there: nobody else takes its room any more. */
  arrived(share: BodyShare): void {
    this.#arriving.delete(share);
  }

  /** It is not needed any more. May be called again. */
  release(share: BodyShare): void {
    this.#arriving.delete(share);
    this.#taken -= share.bytes;
    share.bytes = 0;
  }
}

/** What one request's body takes. */
export interface BodyShare {
  bytes: number;
  /** When it began to arrive. */
  since: number;
  /** Called at most once, and only while the body arrives: it has made room for others and must not be read further. */
  evicted: () => void;
}
