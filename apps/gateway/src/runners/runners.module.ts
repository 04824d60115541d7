import {
  type BeforeApplicationShutdown,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { FindEndedJobs, ListWaitingJobs } from '#libs/contracts';
import { hourly, Metrics } from '#libs/process';
import { CloneAccess } from '../clones/clone-access.js';
import { ClonesController } from '../clones/clones.controller.js';
import { Log } from '../log.js';
import { Services } from '../services.js';
import { JobLogs } from '../storage/job-logs.js';
import { StorageModule } from '../storage/storage.module.js';
import { HeldRequests } from './held-requests.js';
import { JobContacts } from './job-contacts.js';
import { JobQueuedHandler } from './job-queued.handler.js';
import { JobRequestsController } from './job-requests.controller.js';
import { JobTraceController } from './job-trace.controller.js';
import { ProjectRunnersController } from './project-runners.controller.js';
import { RunnerListsController } from './runner-lists.controller.js';
import { RunnerRegistrationController } from './runner-registration.controller.js';
import { RunnerPagesController } from './runner-pages.controller.js';
import { RunnersController } from './runners.controller.js';
import { RunningJobs } from './running-jobs.js';
import { RunningJobsController } from './running-jobs.controller.js';

/** Runners: those who manage them, and what they call themselves. */
@Module({
  imports: [StorageModule],
  controllers: [
    RunnersController,
    RunnerPagesController,
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
  ],
})
export class RunnersModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  #stopTidying: (() => Promise<void>) | undefined;

  constructor(
    private readonly held: HeldRequests,
    private readonly contacts: JobContacts,
    private readonly logs: JobLogs,
    private readonly services: Services,
    private readonly metrics: Metrics,
    @Inject(Log) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.contacts.start();
    this.metrics.gauge('flagfall_held_job_requests', 'Requests of runners that wait for a job', [], () => [
      { value: this.held.size },
    ]);
    let times = 0;
    this.#stopTidying = hourly('logs of jobs that are over could not be looked after', this.log, async () => {
      // Those that are packed are very many: once a day.
      const all = times % 24 === 23;
      times += 1;
      const done = await this.logs.tidy((jobIds) => this.services.ask(FindEndedJobs, { jobIds }), all);
      if (done.packed + done.deleted > 0) this.log.info(done, 'logs of jobs that are over were packed or deleted');
    });
  }

  /** While the HTTP server waits for its callers, so that those that are held get their answer. */
  beforeApplicationShutdown(): void {
    this.held.stop();
  }

  /** After the last caller: a pipeline service that does not answer must not keep callers waiting. */
  async onApplicationShutdown(): Promise<void> {
    await this.#stopTidying?.();
    await this.contacts.stop();
  }
}
