import { type DynamicModule, type INestMicroservice, Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { Bus } from '#libs/messaging';
import { Outbox } from '#libs/persistence';
import { PipelineServiceConfig } from './config.js';
import { Log } from './log.js';
import { NestLog } from './nest-log.js';
import { ProjectsModule } from './projects/projects.module.js';

/** What a process gives the pipeline service: the same for RabbitMQ and for everything in one process. */
export interface PipelineServiceOptions {
  config: PipelineServiceConfig;
  /** Opened with `pipelinesSchema`. Stays the caller's to close, as does the bus. */
  database: DataSource;
  bus: Bus;
  strategy: CustomTransportStrategy;
  log: Logger;
}

/** Leftover events are looked for while the service runs. */
class OutboxLife implements OnApplicationShutdown {
  constructor(private readonly outbox: Outbox) {
    outbox.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.outbox.stop();
  }
}

/** The parts of the service, in the order in which a project comes to its jobs. */
@Module({})
class PipelineServiceModule {
  static with({ config, database, bus, log }: PipelineServiceOptions): DynamicModule {
    return {
      module: PipelineServiceModule,
      global: true,
      imports: [ProjectsModule],
      providers: [
        { provide: PipelineServiceConfig, useValue: config },
        { provide: DataSource, useValue: database },
        { provide: Bus, useValue: bus },
        { provide: Log, useValue: log },
        { provide: Outbox, useFactory: () => new Outbox(database, 'pipelines', bus, '/pipeline-service', log) },
        { provide: OutboxLife, useFactory: (outbox: Outbox) => new OutboxLife(outbox), inject: [Outbox] },
      ],
      exports: [PipelineServiceConfig, DataSource, Bus, Log, Outbox],
    };
  }
}

/**
 * Starts the pipeline service on whatever transport the strategy is for, and returns once it handles messages.
 * Its `close()` takes nothing new, waits for handlers that run and says what they left to say.
 */
export async function createPipelineService(options: PipelineServiceOptions): Promise<INestMicroservice> {
  const service = await NestFactory.createMicroservice(PipelineServiceModule.with(options), {
    strategy: options.strategy,
    logger: new NestLog(options.log),
    abortOnError: false,
  });
  await service.listen();
  return service;
}
