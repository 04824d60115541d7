import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { CallCounts } from './call-counts.js';
import { type Rate, rateHeaders, refusalBeyond, tightest } from './rate.js';

/** One of the limits that a call has to keep to. */
export interface CallLimit {
  /** GitLab's name of it, or one of ours. */
  name: string;
  /** Whose calls count together. */
  whose: string | number;
  /** Calls a minute, 0 for any number. */
  limit: number;
}

/** Counts calls over all gateways together, and tells callers how they stand. */
@Injectable()
export class RateLimits {
  constructor(private readonly counts: CallCounts) {}

  /**
   * Counts a call for its limits, one after the other: what one of them refuses does not use up those after it. The answer tells the tightest of all that
   * were checked for it.
   * @throws Refusal 429 beyond a limit; the call has counted for that one, too
   */
  async check(limits: readonly CallLimit[], reply: FastifyReply): Promise<void> {
    const rates: Rate[] = [];
    for (const { name, whose, limit } of limits) {
      if (limit === 0) continue;
      rates.push({ name, limit, ...(await this.counts.add(`${name}:${whose}`)) });
      const refusal = refusalBeyond(rates, Date.now());
      if (refusal) throw refusal;
    }
    const rate = tightest(rates);
    if (rate) tell(rate, reply);
  }
}

function tell(rate: Rate, reply: FastifyReply): void {
  const told = reply.getHeader('RateLimit-Remaining');
  const headers = rateHeaders(rate);
  if (told === undefined || Number(headers['RateLimit-Remaining']) < Number(told)) void reply.headers(headers);
}
