import { type BeforeApplicationShutdown, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { hourly } from '#libs/process';
import { Log } from '../log.js';
import { Sessions } from './sessions.js';
import { SessionsController } from './sessions.controller.js';

/** Signing in and out; `AccessModule` has the sessions themselves, for every endpoint. */
@Module({ controllers: [SessionsController] })
export class SessionsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopPurging: (() => Promise<void>) | undefined;

  constructor(
    private readonly sessions: Sessions,
    @Inject(Log) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#stopPurging = hourly('sessions that are over could not be purged', this.log, () => this.sessions.purge());
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stopPurging?.();
  }
}
