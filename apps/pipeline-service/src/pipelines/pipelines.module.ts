import { Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { apiVersion } from '#libs/contracts';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { Accounts } from '../accounts.js';
import { PipelineServiceConfig } from '../config.js';
import { LintHandler } from '../lint/lint.handler.js';
import { Log } from '../log.js';
import { ProjectReader } from '../projects/project-reader.js';
import { ProjectsModule } from '../projects/projects.module.js';
import { Repositories } from '../repositories/repositories.js';
import { CiConfigs } from './ci-configs.js';
import { CreatedPipelines } from './created-pipelines.repository.js';
import { CreatePipelinesHandler } from './create-pipelines.handler.js';
import { IncludedProjects } from './included-projects.js';
import { JobsHandler } from './jobs.handler.js';
import { KeptCommits } from './kept-commits.js';
import { PipelineCreation } from './pipeline-creation.js';
import { PipelinesClock } from './pipelines-clock.js';
import { PipelinesHandler } from './pipelines.handler.js';
import { RedundantPipelinesHandler } from './redundant-pipelines.handler.js';
import { UsersHandler } from './users.handler.js';

/** From a trigger to its pipeline, and what may be asked and ordered of pipelines and jobs. */
@Module({
  imports: [ProjectsModule],
  controllers: [
    CreatePipelinesHandler,
    PipelinesHandler,
    JobsHandler,
    RedundantPipelinesHandler,
    UsersHandler,
    LintHandler,
  ],
  providers: [
    Accounts,
    IncludedProjects,
    {
      provide: CiConfigs,
      useFactory: (repositories: Repositories, projects: IncludedProjects) => new CiConfigs(repositories, projects),
      inject: [Repositories, IncludedProjects],
    },
    {
      provide: CreatedPipelines,
      useFactory: (database: DataSource, outbox: Outbox, clock: DatabaseClock) =>
        new CreatedPipelines(database, outbox, clock),
      inject: [DataSource, Outbox, DatabaseClock],
    },
    {
      provide: PipelineCreation,
      useFactory: (
        database: DataSource,
        projects: ProjectReader,
        repositories: Repositories,
        configs: CiConfigs,
        created: CreatedPipelines,
        config: PipelineServiceConfig,
        clock: DatabaseClock,
        log: Logger,
      ) =>
        new PipelineCreation(
          database,
          projects,
          repositories,
          configs,
          created,
          new KeptCommits(repositories, log),
          {
            externalUrl: config.externalUrl,
            ...apiVersion,
          },
          clock,
        ),
      inject: [
        DataSource,
        ProjectReader,
        Repositories,
        CiConfigs,
        CreatedPipelines,
        PipelineServiceConfig,
        DatabaseClock,
        Log,
      ],
    },
    {
      provide: PipelinesClock,
      useFactory: (database: DataSource, outbox: Outbox, clock: DatabaseClock, log: Logger) =>
        new PipelinesClock(database, outbox, clock, log),
      inject: [DataSource, Outbox, DatabaseClock, Log],
    },
  ],
  exports: [Accounts, CiConfigs, PipelineCreation],
})
export class PipelinesModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(private readonly clock: PipelinesClock) {}

  onApplicationBootstrap(): void {
    this.clock.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.clock.stop();
  }
}
