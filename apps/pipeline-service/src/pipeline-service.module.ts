import { mkdir } from 'node:fs/promises';
import {
  type DynamicModule,
  type INestMicroservice,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { Bus } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { measureOutbox, type Metrics, NestLog } from '#libs/process';
import { BridgesModule } from './bridges/bridges.module.js';
import { PipelineServiceConfig } from './config.js';
import { Log } from './log.js';
import { Repositories, type RepositoriesOptions } from './repositories/repositories.js';
import { Sealing } from './sealing.js';
import { PipelinePagesModule } from './pipeline-pages/pipeline-pages.module.js';
import { PipelinesModule } from './pipelines/pipelines.module.js';
import { ResourceGroupsModule } from './resource-groups/resource-groups.module.js';
import { measureJobs } from './runners/job-counts.js';
import { RunnersModule } from './runners/runners.module.js';
import { ProjectsModule } from './projects/projects.module.js';

/** What a process gives the pipeline service: the same for RabbitMQ and for everything in one process. */
export interface PipelineServiceOptions {
  config: PipelineServiceConfig;
  /** Opened with `pipelinesSchema`. Stays the caller's to close, as does the bus. */
  database: DataSource;
  bus: Bus;
  strategy: CustomTransportStrategy;
  log: Logger;
  metrics: Metrics;
}

/** What runs beside the handlers, and ends after them. */
class Background implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly repositories: Repositories,
    private readonly metrics: Metrics,
    private readonly database: DataSource,
  ) {}

  onApplicationBootstrap(): void {
    this.outbox.start();
    measureOutbox(this.metrics, this.outbox, 'pipelines');
    measureJobs(this.metrics, this.database);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.repositories.close();
    await this.outbox.stop();
    this.clock.stop();
  }
}

/** The parts of the service, in the order in which a project comes to its jobs. */
@Module({})
class PipelineServiceModule {
  static with({ config, database, bus, log, metrics }: PipelineServiceOptions): DynamicModule {
    return {
      module: PipelineServiceModule,
      global: true,
      imports: [
        PipelinesModule,
        PipelinePagesModule,
        BridgesModule,
        ResourceGroupsModule,
        RunnersModule,
        ProjectsModule,
      ],
      providers: [
        { provide: PipelineServiceConfig, useValue: config },
        { provide: DataSource, useValue: database },
        { provide: Bus, useValue: bus },
        { provide: Log, useValue: log },
        { provide: Outbox, useFactory: () => new Outbox(database, 'pipelines', bus, '/pipeline-service', log) },
        { provide: DatabaseClock, useFactory: () => DatabaseClock.start(database, log) },
        { provide: Sealing, useFactory: () => new Sealing(config.secretKey) },
        { provide: Repositories, useFactory: () => new Repositories(repositoriesOptions(config)) },
        {
          provide: Background,
          useFactory: (outbox: Outbox, clock: DatabaseClock, repositories: Repositories) =>
            new Background(outbox, clock, repositories, metrics, database),
          inject: [Outbox, DatabaseClock, Repositories],
        },
      ],
      exports: [PipelineServiceConfig, DataSource, Bus, Log, Outbox, DatabaseClock, Sealing, Repositories],
    };
  }
}

function repositoriesOptions({
  cacheDir,
  repositories,
  sshKeyFile,
  sshKnownHostsFile,
}: PipelineServiceConfig): RepositoriesOptions {
  const { schemes, privateHosts, loopback } = repositories;
  return { cacheDir, schemes, privateHosts, loopback, sshKeyFile, sshKnownHostsFile };
}

/**
 * Starts the pipeline service on whatever transport the strategy is for, and returns once it handles messages.
 * Its `close()` takes nothing new, waits for handlers that run and says what they left to say.
 */
export async function createPipelineService(options: PipelineServiceOptions): Promise<INestMicroservice> {
  // A directory that cannot be made is told at the start, and not by the first project.
  await mkdir(options.config.cacheDir, { recursive: true });
  const service = await NestFactory.createMicroservice(PipelineServiceModule.with(options), {
    strategy: options.strategy,
    logger: new NestLog(options.log),
    abortOnError: false,
  });
  await service.listen();
  return service;
}
