import {
  type DynamicModule,
  Global,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { Bus } from '#libs/messaging';
import { DatabaseClock } from '#libs/persistence';
import type { Metrics } from '#libs/process';
import { AccessTokensController } from './access-tokens/access-tokens.controller.js';
import { ArtifactsModule } from './artifacts/artifacts.module.js';
import { GatewayConfig } from './config.js';
import { EnvironmentsController } from './environments/environments.controller.js';
import { Readiness } from './health/readiness.js';
import { createGateway } from './http/create-app.js';
import { BridgesController } from './jobs/bridges.controller.js';
import { JobOrdersController } from './jobs/job-orders.controller.js';
import { JobsController } from './jobs/jobs.controller.js';
import { JobsRateLimit } from './jobs/jobs-rate-limit.js';
import { LintController } from './lint/lint.controller.js';
import { LiveModule } from './live/live.module.js';
import { MembersController } from './members/members.controller.js';
import { PipelinePagesModule } from './pipeline-pages/pipeline-pages.module.js';
import { PipelineOrdersController } from './pipelines/pipeline-orders.controller.js';
import { PipelinesController } from './pipelines/pipelines.controller.js';
import { ProjectsController } from './projects/projects.controller.js';
import { ProtectedBranchesController, ProtectedTagsController } from './protected-refs/protected-refs.controller.js';
import { RateLimitsModule } from './rate-limits/rate-limits.module.js';
import { ResourceGroupsController } from './resource-groups/resource-groups.controller.js';
import { ensureRoot } from './root-account.js';
import { RunnersModule } from './runners/runners.module.js';
import { Services } from './services.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { SettingsController } from './settings/settings.controller.js';
import { StorageModule } from './storage/storage.module.js';
import { TriggerRequestsModule } from './trigger-requests/trigger-requests.module.js';
import { TriggersModule } from './triggers/triggers.module.js';
import { UsersController } from './users/users.controller.js';
import { VariablesController } from './variables/variables.controller.js';

/** What a process gives the gateway: the same for RabbitMQ and for everything in one process. */
export interface GatewayOptions {
  config: GatewayConfig;
  /** Opened with `gatewaySchema`. Stays the caller's to close, as does the bus. */
  database: DataSource;
  bus: Bus;
  strategy: CustomTransportStrategy;
  log: Logger;
  metrics: Metrics;
}

/** What must be there before callers are let in, and the first administrator. */
class Beginning implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #stopped = new AbortController();
  #rootIsThere = false;

  constructor(
    private readonly services: Services,
    private readonly config: GatewayConfig,
    private readonly log: Logger,
    readiness: Readiness,
    database: DataSource,
    bus: Bus,
    private readonly clock: DatabaseClock,
  ) {
    readiness.register({
      name: 'database',
      check: async () => Boolean(await database.query('select 1')),
      needed: 'always',
    });
    readiness.register({ name: 'broker', check: () => bus.connected, needed: 'start' });
    readiness.register({ name: 'services', check: () => this.#rootIsThere, needed: 'start' });
  }

  onApplicationBootstrap(): void {
    this.#begin().catch((error: unknown) =>
      this.log.error({ err: error }, 'the first administrator could not be made'),
    );
  }

  onApplicationShutdown(): void {
    this.#stopped.abort();
    this.clock.stop();
  }

  async #begin(): Promise<void> {
    if (this.config.rootToken) await ensureRoot(this.services, this.config.rootToken, this.log, this.#stopped.signal);
    this.#rootIsThere = true;
  }
}

/** The features of the gateway. */
@Global()
@Module({})
class GatewayModule {
  static with({ database, bus, log }: GatewayOptions): DynamicModule {
    return {
      module: GatewayModule,
      imports: [
        RateLimitsModule,
        StorageModule,
        SessionsModule,
        TriggerRequestsModule,
        TriggersModule,
        RunnersModule,
        ArtifactsModule,
        PipelinePagesModule,
        LiveModule,
      ],
      controllers: [
        UsersController,
        AccessTokensController,
        ProjectsController,
        MembersController,
        VariablesController,
        ProtectedBranchesController,
        ProtectedTagsController,
        LintController,
        PipelinesController,
        PipelineOrdersController,
        JobsController,
        BridgesController,
        ResourceGroupsController,
        EnvironmentsController,
        JobOrdersController,
        SettingsController,
      ],
      providers: [
        JobsRateLimit,
        { provide: DataSource, useValue: database },
        { provide: Bus, useValue: bus },
        { provide: DatabaseClock, useFactory: () => DatabaseClock.start(database, log) },
        { provide: Services, useFactory: () => new Services(bus) },
        {
          provide: Beginning,
          useFactory: (services: Services, config: GatewayConfig, readiness: Readiness, clock: DatabaseClock) =>
            new Beginning(services, config, log, readiness, database, bus, clock),
          inject: [Services, GatewayConfig, Readiness, DatabaseClock],
        },
      ],
      exports: [DataSource, Bus, DatabaseClock, Services],
    };
  }
}

/** The gateway with all its features, handling messages and ready to `listen` for HTTP. */
export async function createGatewayApp(options: GatewayOptions): Promise<NestFastifyApplication> {
  const app = await createGateway(GatewayModule.with(options), options.config, options.log, options.metrics);
  app.connectMicroservice({ strategy: options.strategy });
  await app.startAllMicroservices();
  return app;
}
