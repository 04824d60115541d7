import { Injectable } from '@nestjs/common';
import { ShowSettings, tooManyRequests } from '#libs/contracts';
import type { Viewer } from '../access/viewer.js';
import { Services } from '../services.js';
import { CallRate, rateHeaders } from './call-rate.js';

/** A changed setting holds at the latest after this time; each call need not ask for it. */
const settingAgeMs = 5_000;

/** GitLab's `project_jobs_api_rate_limit`: how often a user may list jobs of projects in a minute, on this replica (trigger-api.md §1.9). */
@Injectable()
export class JobsRateLimit {
  readonly #rate = new CallRate();
  #setting: Promise<number> | undefined;
  #readAt = -Infinity;

  constructor(private readonly services: Services) {}

  /** @throws Refusal 429 beyond the limit; nothing has been done then */
  async check(viewer: Viewer, now: number): Promise<void> {
    if (viewer.kind !== 'user') return;
    const limit = await this.#limit(now);
    if (limit === 0) return;
    const rate = this.#rate.count(viewer.id, limit, now);
    if (rate.observed > limit) throw tooManyRequests(rate.resetAt - now / 1000, rateHeaders('jobs_index', rate));
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
