import type { FastifyReply } from 'fastify';
import { CallCounts } from './call-counts.js';
import { callerAddress } from './caller-address.js';
import { type Rate, rateHeaders, refusalBeyond, tightest } from './rate.js';

/** Calls of the trigger endpoint a minute, 0 for any number. */
export interface TriggerLimits {
  /** From one address. */
  perAddress: number;
  /** With one trigger token, or the token of one job. */
  perToken: number;
  /** Of one project. */
  perProject: number;
}

/**
 * The limits of the trigger endpoint. Calls are counted before anything is recorded, so one that is refused has created nothing (trigger-api.md §1.9);
 * it counts, too.
 */
export class TriggerRateLimits {
  constructor(
    private readonly counts: CallCounts,
    private readonly limits: TriggerLimits,
  ) {}

  /**
   * Before it is known who calls, so that guessing tokens counts.
   * @throws Refusal 429 beyond the limit
   */
  async checkAddress(address: string, reply: FastifyReply): Promise<void> {
    await this.#check([['address', callerAddress(address), this.limits.perAddress]], reply);
  }

  /**
   * @param token the number of the trigger or of the job, with a word for which of them it is
   * @throws Refusal 429 beyond a limit
   */
  async checkCaller(token: string, projectId: number, reply: FastifyReply): Promise<void> {
    await this.#check(
      [
        ['token', token, this.limits.perToken],
        ['project', String(projectId), this.limits.perProject],
      ],
      reply,
    );
  }

  async #check(limits: [kind: string, whose: string, limit: number][], reply: FastifyReply): Promise<void> {
    const counted = limits.filter(([, , limit]) => limit > 0);
    if (counted.length === 0) return;
    const rates = await Promise.all(
      counted.map(async ([kind, whose, limit]): Promise<Rate> => {
        const name = `pipeline_triggers_per_${kind}`;
        return { name, limit, ...(await this.counts.add(`${name}:${whose}`)) };
      }),
    );
    const refusal = refusalBeyond(rates, Date.now());
    if (refusal) throw refusal;
    this.#tell(tightest(rates) as Rate, reply);
  }

  /** The tightest of all limits that were checked for this call. */
  #tell(rate: Rate, reply: FastifyReply): void {
    const told = reply.getHeader('RateLimit-Remaining');
    const headers = rateHeaders(rate);
    if (told === undefined || Number(headers['RateLimit-Remaining']) < Number(told)) void reply.headers(headers);
  }
}
