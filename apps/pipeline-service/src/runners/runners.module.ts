import { Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import { Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { PipelineServiceConfig } from '../config.js';
import { Log } from '../log.js';
import { ProjectsModule } from '../projects/projects.module.js';
import { CloneSource } from './clone-source.js';
import { CloneSourceHandler } from './clone-source.handler.js';
import { JobReportsHandler } from './job-reports.handler.js';
import { JobRequestsHandler } from './job-requests.handler.js';
import { JobSweeper } from './job-sweeper.js';
import { RunnersHandler } from './runners.handler.js';

/** Runners and what they need: jobs, and the commits to run them on. */
@Module({
  imports: [ProjectsModule],
  controllers: [RunnersHandler, JobRequestsHandler, JobReportsHandler, CloneSourceHandler],
  providers: [
    {
      provide: CloneSource,
      useFactory: (config: PipelineServiceConfig) => new CloneSource(config.cloneHost, config.clonePort),
      inject: [PipelineServiceConfig],
    },
    {
      provide: JobSweeper,
      useFactory: (database: DataSource, outbox: Outbox, log: Logger) => new JobSweeper(database, outbox, log),
      inject: [DataSource, Outbox, Log],
    },
  ],
})
export class RunnersModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly source: CloneSource,
    private readonly sweeper: JobSweeper,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.source.listen();
    this.sweeper.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sweeper.stop();
    await this.source.close();
  }
}
