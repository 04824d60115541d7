import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ShowSettings } from '#libs/contracts';
import type { Viewer } from '../access/viewer.js';
import { RateLimits } from '../rate-limits/rate-limits.js';
import { Services } from '../services.js';

/** A changed setting holds at the latest after this time; each call need not ask for it. */
const settingAgeMs = 5_000;
/** GitLab's name of it. */
const name = 'jobs_index';

/** GitLab's `project_jobs_api_rate_limit`: how often a user may list jobs of projects in a minute (trigger-api.md §1.9). */
@Injectable()
export class JobsRateLimit {
  #setting: Promise<number> | undefined;
  #readAt = -Infinity;

  constructor(
    private readonly services: Services,
    private readonly rates: RateLimits,
  ) {}

  /** @throws Refusal 429 beyond the limit; nothing has been done then */
  async check(viewer: Viewer, reply: FastifyReply): Promise<void> {
    if (viewer.kind !== 'user') return;
    await this.rates.check([{ name, whose: viewer.id, limit: await this.#limit(performance.now()) }], reply);
  }

  #limit(now: number): Promise<number> {
    if (!this.#setting || now - this.#readAt > settingAgeMs) {
      this.#readAt = now;
      this.#setting = this.services
        .ask(ShowSettings, {})
        .then(({ projectJobsApiRateLimit }) => projectJobsApiRateLimit);
      this.#setting.catch(() => (this.#setting = undefined));
    }
    return this.#setting;
  }
}
