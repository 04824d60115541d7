import { Module } from '@nestjs/common';
import { CloneAccess } from '../clones/clone-access.js';
import { ClonesController } from '../clones/clones.controller.js';
import { GatewayConfig } from '../config.js';
import { JobLogs } from '../storage/job-logs.js';
import { HeldRequests } from './held-requests.js';
import { JobQueuedHandler } from './job-queued.handler.js';
import { JobTraceController } from './job-trace.controller.js';
import { RunnerApiController } from './runner-api.controller.js';
import { RunnersController } from './runners.controller.js';

/** Runners: those who manage them, and what they call themselves. */
@Module({
  controllers: [RunnersController, RunnerApiController, JobTraceController, JobQueuedHandler, ClonesController],
  providers: [
    HeldRequests,
    CloneAccess,
    {
      provide: JobLogs,
      useFactory: (config: GatewayConfig) => new JobLogs(config.storageUrl),
      inject: [GatewayConfig],
    },
  ],
  exports: [JobLogs],
})
export class RunnersModule {}
