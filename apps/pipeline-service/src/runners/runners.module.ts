import { Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { ArtifactSweeper } from '../artifacts/artifact-sweeper.js';
import { ArtifactsHandler } from '../artifacts/artifacts.handler.js';
import { PipelineServiceConfig } from '../config.js';
import { Log } from '../log.js';
import { EnvironmentsHandler } from '../environments/environments.handler.js';
import { ProjectsModule } from '../projects/projects.module.js';
import { CloneSource } from './clone-source.js';
import { CloneSourceHandler } from './clone-source.handler.js';
import { JobReportsHandler } from './job-reports.handler.js';
import { JobRequestsHandler } from './job-requests.handler.js';
import { JobSweeper } from './job-sweeper.js';
import { RunnerListsHandler } from './runner-lists.handler.js';
import { RunnerProjectsHandler } from './runner-projects.handler.js';
import { RunnerRegistrationHandler } from './runner-registration.handler.js';
import { RunnersHandler } from './runners.handler.js';

/** Runners and what they need: jobs, the commits to run them on, and what earlier jobs left. */
@Module({
  imports: [ProjectsModule],
  controllers: [
    RunnersHandler,
    RunnerListsHandler,
    RunnerProjectsHandler,
    RunnerRegistrationHandler,
    JobRequestsHandler,
    JobReportsHandler,
    CloneSourceHandler,
    ArtifactsHandler,
    EnvironmentsHandler,
  ],
  providers: [
    {
      provide: CloneSource,
      useFactory: (config: PipelineServiceConfig) => new CloneSource(config.cloneHost, config.clonePort),
      inject: [PipelineServiceConfig],
    },
    {
      provide: JobSweeper,
      useFactory: (database: DataSource, outbox: Outbox, clock: DatabaseClock, log: Logger) =>
        new JobSweeper(database, outbox, clock, log),
      inject: [DataSource, Outbox, DatabaseClock, Log],
    },
    {
      provide: ArtifactSweeper,
      useFactory: (outbox: Outbox, clock: DatabaseClock, log: Logger) => new ArtifactSweeper(outbox, clock, log),
      inject: [Outbox, DatabaseClock, Log],
    },
  ],
})
export class RunnersModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly source: CloneSource,
    private readonly sweeper: JobSweeper,
    private readonly artifacts: ArtifactSweeper,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.source.listen();
    this.sweeper.start();
    this.artifacts.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.artifacts.stop();
    await this.sweeper.stop();
    await this.source.close();
  }
}
