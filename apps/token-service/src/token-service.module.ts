import { type DynamicModule, type INestMicroservice, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import type { Bus } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import { hourly, measureOutbox, type Metrics, NestLog } from '#libs/process';
import { AccessTokensHandler } from './access-tokens/access-tokens.handler.js';
import { RootHandler } from './access-tokens/root.handler.js';
import { DeletedProjectsHandler } from './members/deleted-projects.handler.js';
import { MembersHandler } from './members/members.handler.js';
import { purgeExpiredTriggers } from './triggers/expired-triggers.js';
import { LastUsedHandler } from './triggers/last-used.handler.js';
import { TriggersHandler } from './triggers/triggers.handler.js';
import { UsersHandler } from './users/users.handler.js';

/** What a process gives the token service: the same for RabbitMQ and for everything in one process. */
export interface TokenServiceOptions {
  /** Opened with `tokensSchema`. Stays the caller's to close, as does the bus. */
  database: DataSource;
  bus: Bus;
  strategy: CustomTransportStrategy;
  log: Logger;
  metrics: Metrics;
}

/** What runs beside the handlers for as long as the service does: leftover events are said, expired tokens purged. */
class Upkeep implements OnApplicationShutdown {
  readonly #stopPurging: () => Promise<void>;

  constructor(
    private readonly outbox: Outbox,
    log: Logger,
    metrics: Metrics,
  ) {
    outbox.start();
    measureOutbox(metrics, outbox, 'tokens');
    this.#stopPurging = hourly('expired trigger tokens could not be purged', log, async () => {
      const purged = await purgeExpiredTriggers(outbox);
      if (purged > 0) log.info({ purged }, 'trigger tokens that expired long ago were deleted');
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#stopPurging();
    await this.outbox.stop();
  }
}

@Module({})
class TokenServiceModule {
  static with({ database, bus, log, metrics }: TokenServiceOptions): DynamicModule {
    return {
      module: TokenServiceModule,
      controllers: [
        RootHandler,
        UsersHandler,
        AccessTokensHandler,
        MembersHandler,
        TriggersHandler,
        LastUsedHandler,
        DeletedProjectsHandler,
      ],
      providers: [
        { provide: DataSource, useValue: database },
        { provide: Outbox, useFactory: () => new Outbox(database, 'tokens', bus, '/token-service', log) },
        { provide: Upkeep, useFactory: (outbox: Outbox) => new Upkeep(outbox, log, metrics), inject: [Outbox] },
      ],
    };
  }
}

/**
 * Starts the token service on whatever transport the strategy is for, and returns once it handles messages.
 * Its `close()` takes nothing new, waits for handlers that run and says what they left to say.
 */
export async function createTokenService(options: TokenServiceOptions): Promise<INestMicroservice> {
  const service = await NestFactory.createMicroservice(TokenServiceModule.with(options), {
    strategy: options.strategy,
    logger: new NestLog(options.log),
    abortOnError: false,
  });
  await service.listen();
  return service;
}
