import { type BeforeApplicationShutdown, Global, Inject, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { hourly } from '#libs/process';
import { GatewayConfig } from '../config.js';
import { Log } from '../log.js';
import { CallCounts } from './call-counts.js';
import { RateLimits } from './rate-limits.js';
import { TriggerRateLimits } from './trigger-rate-limits.js';

/** How often something may be called, for the features that say so. */
@Global()
@Module({
  providers: [
    CallCounts,
    RateLimits,
    {
      provide: TriggerRateLimits,
      useFactory: (rates: RateLimits, { triggerLimits }: GatewayConfig) => new TriggerRateLimits(rates, triggerLimits),
      inject: [RateLimits, GatewayConfig],
    },
  ],
  exports: [RateLimits, TriggerRateLimits],
})
export class RateLimitsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopPurging: (() => Promise<void>) | undefined;

  constructor(
    private readonly counts: CallCounts,
    @Inject(Log) private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#stopPurging = hourly('counts of calls could not be purged', this.log, () => this.counts.purge());
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stopPurging?.();
  }
}
