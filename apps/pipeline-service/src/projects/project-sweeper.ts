import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Refusal } from '#libs/contracts';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { Log } from '../log.js';
import { ProjectCreation } from './project-creation.js';
import { ProjectRemoval } from './project-removal.js';

const lookAgainMs = 10_000;
/** A creation takes seconds; after this time its process is gone. */
const abandonedAfterSeconds = 60;

/**
 * Finishes what was left between two steps: projects whose creator is not yet an Owner, and projects whose rows are not yet gone. Several
 * replicas may do the same, since every step may be taken again.
 */
@Injectable()
export class ProjectSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #again = false;

  constructor(
    private readonly database: DataSource,
    private readonly creation: ProjectCreation,
    private readonly removal: ProjectRemoval,
    @Inject(Log) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.wake(), lookAgainMs).unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    this.#again = false;
    await this.#sweeping;
  }

  /** Looks now, and once more when it was looking already. */
  wake(): void {
    this.#again = true;
    this.#sweeping ??= this.#run().finally(() => (this.#sweeping = undefined));
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      try {
        await this.sweep();
      } catch (error) {
        this.log.warn({ err: error }, 'unfinished projects could not be looked for');
      }
    }
  }

  /** Goes once through everything that is unfinished. */
  async sweep(): Promise<void> {
    const unfinished: { id: number; state: 'creating' | 'deleting' }[] = await this.database.query(
      `select id, state from pipelines.projects
       where state = 'deleting' or (state = 'creating' and updated_at < now() - make_interval(secs => $1)) order by id limit 100`,
      [abandonedAfterSeconds],
    );
    for (const { id, state } of unfinished) {
      try {
        await (state === 'deleting' ? this.removal.remove(id) : this.#finish(id));
      } catch (error) {
        this.log.warn({ err: error, project: id, state }, 'a project could not be finished; it will be tried again');
      }
    }
  }

  /** A creator who is gone leaves no project behind. */
  async #finish(projectId: number): Promise<void> {
    try {
      await this.creation.finish(projectId);
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 404)) throw error;
      await this.removal.announce(projectId);
      this.#again = true;
    }
  }
}
