import {
  type BeforeApplicationShutdown,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ListWaitingJobs } from '#libs/contracts';
import { CloneAccess } from '../clones/clone-access.js';
import { ClonesController } from '../clones/clones.controller.js';
import { GatewayConfig } from '../config.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { HeldRequests } from './held-requests.js';
import { JobContacts } from './job-contacts.js';
import { JobQueuedHandler } from './job-queued.handler.js';
import { JobRequestsController } from './job-requests.controller.js';
import { JobTraceController } from './job-trace.controller.js';
import { ProjectRunnersController } from './project-runners.controller.js';
import { RunnerListsController } from './runner-lists.controller.js';
import { RunnerRegistrationController } from './runner-registration.controller.js';
import { RunnersController } from './runners.controller.js';
import { RunningJobs } from './running-jobs.js';
import { RunningJobsController } from './running-jobs.controller.js';

/** Runners: those who manage them, and what they call themselves. */
@Module({
  controllers: [
    RunnersController,
    RunnerListsController,
    ProjectRunnersController,
    RunnerRegistrationController,
    JobRequestsController,
    JobQueuedHandler,
    RunningJobsController,
    JobTraceController,
    ClonesController,
  ],
  providers: [
    CloneAccess,
    RunningJobs,
    {
      provide: HeldRequests,
      useFactory: (services: Services) => new HeldRequests(() => services.ask(ListWaitingJobs, {})),
      inject: [Services],
    },
    {
      provide: JobContacts,
      useFactory: (services: Services) => new JobContacts(services),
      inject: [Services],
    },
    {
      provide: JobLogs,
      useFactory: (config: GatewayConfig) => new JobLogs(config.storageUrl),
      inject: [GatewayConfig],
    },
  ],
  exports: [JobLogs],
})
export class RunnersModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly held: HeldRequests,
    private readonly contacts: JobContacts,
  ) {}

  onApplicationBootstrap(): void {
    this.contacts.start();
  }

  /** While the HTTP server waits for its callers, so that those that are held get their answer. */
  beforeApplicationShutdown(): void {
    this.held.stop();
  }

  /** After the last caller: a pipeline service that does not answer must not keep callers waiting. */
  async onApplicationShutdown(): Promise<void> {
    await this.contacts.stop();
  }
}
