import type { Logger } from 'pino';
import { FindUnrecordedArtifacts } from '#libs/contracts';
import type { Services } from '../services.js';
import type { ArtifactFiles } from '../storage/artifact-files.js';

const sweepMs = 3_600_000;
/** Bytes are recorded within seconds after the last of them came, and none come for so long. */
const graceMs = 86_400_000;
const atOnce = 500;

/**
 * Deletes bytes that no record speaks of: a gateway that is killed between storing and recording leaves them, and so does one that never heard whether they
 * were recorded. The first time is an hour after the start, so that a database which is about to be restored is not taken at its word. Replicas may do it at once.
 */
export class OrphanSweeper {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly files: ArtifactFiles,
    private readonly services: Services,
    private readonly log: Logger,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#sweeping = this.#sweeping
        .then(() => this.sweep(new Date()))
        .catch((error: unknown) => this.log.warn({ err: error }, 'artifacts without a record could not be swept'));
    }, sweepMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async sweep(now: Date): Promise<void> {
    let deleted = 0;
    let asked: string[] = [];
    const ask = async (): Promise<void> => {
      const { unrecorded } = await this.services.ask(FindUnrecordedArtifacts, { storageKeys: asked });
      for (const key of unrecorded) await this.files.delete(key);
      deleted += unrecorded.length;
      asked = [];
    };
    for await (const key of this.files.storedBefore(new Date(now.getTime() - graceMs)))
      if (asked.push(key) === atOnce) await ask();
    if (asked.length > 0) await ask();
    if (deleted > 0) this.log.info({ deleted }, 'artifacts that nobody had recorded were deleted');
  }
}
