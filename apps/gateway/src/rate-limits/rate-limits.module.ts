import {
  type BeforeApplicationShutdown,
  Global,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { hourly } from '#libs/process';
import { GatewayConfig } from '../config.js';
import { Log } from '../log.js';
import { CallCounts } from './call-counts.js';
import { FailedTokens } from './failed-tokens.js';
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
export class RateLimitsModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  #stopPurging: (() => Promise<void>) | undefined;

  constructor(
    private readonly counts: CallCounts,
    private readonly config: GatewayConfig,
    private readonly adapters: HttpAdapterHost<FastifyAdapter>,
    @Inject(Log) private readonly log: Log,
  ) {}

  /** Before there are routes. */
  onModuleInit(): void {
    const failed = new FailedTokens(this.counts, this.config.failedTokenLimit, this.log);
    failed.watch(this.adapters.httpAdapter.getInstance() as unknown as FastifyInstance);
  }

  onApplicationBootstrap(): void {
    this.#stopPurging = hourly('counts of calls could not be purged', this.log, () => this.counts.purge());
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#stopPurging?.();
  }
}
