import { randomUUID } from 'node:crypto';
import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Bus } from '#libs/messaging';
import { Metrics } from '#libs/process';
import { LiveController } from './live.controller.js';
import { LiveEventsHandler } from './live-events.handler.js';
import { LiveLog } from './live-log.js';
import { LiveStreams } from './live-streams.js';

/** Some megabytes at most, and half a minute under the heaviest load. */
const kept = { events: 20_000, things: 20_000 };
const limits = { streams: 2_000, perViewer: 20, anonymous: 200, waitingBytes: 262_144, trustedMs: 1_000 };
const heartbeatMs = 15_000;

/** What changes, for pages that are open. */
@Module({
  controllers: [LiveController, LiveEventsHandler],
  providers: [
    {
      provide: LiveStreams,
      useFactory: () => new LiveStreams(new LiveLog(randomUUID(), kept), limits, heartbeatMs),
    },
  ],
})
export class LiveModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #forgetListener: (() => void) | undefined;

  constructor(
    private readonly streams: LiveStreams,
    private readonly bus: Bus,
    private readonly metrics: Metrics,
  ) {}

  onApplicationBootstrap(): void {
    this.metrics.gauge('flagfall_live_streams', 'Streams of live pages that are open', [], () => [
      { value: this.streams.size },
    ]);
    this.#forgetListener = this.bus.onConnected(() => this.streams.missed());
  }

  /** While the HTTP server waits for its callers, who would stay. */
  beforeApplicationShutdown(): void {
    this.#forgetListener?.();
    this.streams.stop();
  }
}
