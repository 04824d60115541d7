import type { FastifyReply } from 'fastify';
import { callerAddress } from './caller-address.js';
import type { RateLimits } from './rate-limits.js';

/** Calls of the trigger endpoint a minute, 0 for any number. */
export interface TriggerLimits {
  /** From one address. */
  perAddress: number;
  /** With one trigger token, or the token of one job. */
  perToken: number;
  /** Of one project. */
  perProject: number;
}

const names = {
  address: 'pipeline_triggers_per_address',
  token: 'pipeline_triggers_per_token',
  project: 'pipeline_triggers_per_project',
};

/** The limits of the trigger endpoint. Calls are counted before anything is recorded, so one that is refused has created nothing (trigger-api.md §1.9). */
export class TriggerRateLimits {
  constructor(
    private readonly rates: RateLimits,
    private readonly limits: TriggerLimits,
  ) {}

  /**
   * Before it is known who calls, so that guessing tokens counts.
   * @throws Refusal 429 beyond the limit
   */
  async checkAddress(address: string, reply: FastifyReply): Promise<void> {
    const limit = { name: names.address, whose: callerAddress(address), limit: this.limits.perAddress };
    await this.rates.check([limit], reply);
  }

  /**
   * The token's limit first: somebody who calls too often with one token takes nothing away from the project's others.
   * @param token the number of the trigger or of the job, with a word for which of them it is
   * @throws Refusal 429 beyond a limit
   */
  async checkCaller(token: string, projectId: number, reply: FastifyReply): Promise<void> {
    const limits = [
      { name: names.token, whose: token, limit: this.limits.perToken },
      { name: names.project, whose: projectId, limit: this.limits.perProject },
    ];
    await this.rates.check(limits, reply);
  }
}
