import { type BeforeApplicationShutdown, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Bus } from '#libs/messaging';
import { hourly, Metrics } from '#libs/process';
import { JobTokens } from '../access/job-tokens.js';
import { ProjectAddresses } from '../access/project-addresses.js';
import { GatewayConfig } from '../config.js';
import { Log } from '../log.js';
import { ParkedMessagesController } from '../parked-messages/parked-messages.controller.js';
import { Services } from '../services.js';
import { DeliveryLog } from './delivery-log.js';
import { DeliveryLogController } from './delivery-log.controller.js';
import { Ledger } from './ledger.js';
import { OutcomesHandler } from './outcomes.handler.js';
import { TriggerCallers } from './trigger-callers.js';
import { SomethingToStart, TriggerPipelineController, WithinAddressLimit } from './trigger-pipeline.controller.js';
import { TriggerRequestStatusController } from './trigger-request-status.controller.js';
import { TriggerRequests } from './trigger-requests.js';
import { TriggerTokens } from './trigger-tokens.js';

/** architecture.md §2.7. */
const waiting = { timeoutMs: 8_000, callers: 1_000 };
const dayMs = 86_400_000;

/** From the HTTP call with a trigger token to the answer. */
@Module({
  controllers: [
    TriggerPipelineController,
    TriggerRequestStatusController,
    DeliveryLogController,
    OutcomesHandler,
    ParkedMessagesController,
  ],
  providers: [
    WithinAddressLimit,
    SomethingToStart,
    { provide: Ledger, useFactory: (database: DataSource) => new Ledger(database), inject: [DataSource] },
    { provide: DeliveryLog, useFactory: (database: DataSource) => new DeliveryLog(database), inject: [DataSource] },
    { provide: TriggerTokens, useFactory: (database: DataSource) => new TriggerTokens(database), inject: [DataSource] },
    {
      provide: TriggerCallers,
      useFactory: (triggers: TriggerTokens, jobs: JobTokens, projects: ProjectAddresses, services: Services) =>
        new TriggerCallers(triggers, jobs, projects, services),
      inject: [TriggerTokens, JobTokens, ProjectAddresses, Services],
    },
    {
      provide: TriggerRequests,
      useFactory: (ledger: Ledger, bus: Bus, log: Log) => new TriggerRequests(ledger, bus, waiting, log),
      inject: [Ledger, Bus, Log],
    },
  ],
})
export class TriggerRequestsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopPurging: (() => Promise<void>) | undefined;

  constructor(
    private readonly requests: TriggerRequests,
    private readonly ledger: Ledger,
    private readonly config: GatewayConfig,
    private readonly metrics: Metrics,
    @Inject(Log) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.requests.start();
    this.#measure();
    this.#stopPurging = hourly('settled trigger requests could not be purged', this.log, async () => {
      const purged = await this.ledger.purge(new Date(Date.now() - this.config.triggerRequestDays * dayMs));
      if (purged > 0) this.log.info({ purged }, 'trigger requests that were settled long ago were deleted');
    });
  }

  #measure(): void {
    this.metrics.gauge('flagfall_waiting_triggers', 'Trigger calls that wait for their outcome', [], () => [
      { value: this.requests.callers },
    ]);
    // Both gauges are read at once: one look at the ledger does for them.
    let looking: ReturnType<Ledger['unsettled']> | undefined;
    const unsettled = () => (looking ??= this.ledger.unsettled().finally(() => (looking = undefined)));
    this.metrics.gauge(
      'flagfall_unsettled_triggers',
      'Accepted trigger requests of the installation that have no outcome yet',
      [],
      async () => [{ value: (await unsettled()).count }],
    );
    this.metrics.gauge(
      'flagfall_unsettled_triggers_age_seconds',
      'How long the oldest of them has waited; 0 without any',
      [],
      async () => [{ value: (await unsettled()).oldestSeconds }],
    );
  }

  /** While the HTTP server waits for its callers, so that they get their answer. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#stopPurging?.();
    await this.requests.stop();
  }
}
