import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Refusal } from '#libs/contracts';
import { findCredentials } from '../access/credentials.js';
import { hashSecret } from '../access/secrets.js';
import { forgetOldest } from '../forget-oldest.js';
import { isOfThisMachine } from '../http/local-caller.js';
import { requestParameters } from '../http/request-parameters.js';
import { routeSettings } from '../http/route-settings.js';
import type { CallCounts } from './call-counts.js';
import { callerAddress } from './caller-address.js';
import { refusalBeyond } from './rate.js';

const name = 'failed_tokens_per_address';
/** Tokens of runners that were refused, each with its address; older ones count again. */
const mostRefused = 10_000;

/**
 * Limits how often an address may try tokens that are no good, of whatever kind, counted over all gateways together. Only such calls are counted, and only
 * they are refused: a good token costs nothing and always works, so nobody is locked out by others behind the same address. Whoever calls on the
 * gateway's own machine is no stranger (docs/adr/0019-tokens-that-are-no-good.md).
 */
export class FailedTokens {
  readonly #refused = new Set<string>();

  /** @param limit a minute, 0 for any number */
  constructor(
    private readonly counts: CallCounts,
    private readonly limit: number,
    private readonly log: Logger,
  ) {}

  /** Looks at every answer by which a token may have been refused. */
  watch(server: FastifyInstance): void {
    if (this.limit === 0) return;
    server.addHook('onSend', (request, reply, payload, done) => {
      if (reply.statusCode < 401 || reply.statusCode > 404 || !this.#counts(request, reply)) return done(null, payload);
      this.#refusal(callerAddress(request.ip)).then(
        (refusal) => done(null, refusal ? inPlaceOf(reply, refusal) : payload),
        // What cannot be counted is refused as it is.
        () => done(null, payload),
      );
    });
  }

  #counts(request: FastifyRequest, reply: FastifyReply): boolean {
    if (isOfThisMachine(request.raw)) return false;
    const { tokenRefusals } = routeSettings(request);
    if (tokenRefusals === undefined)
      return (
        reply.statusCode === 401 && findCredentials(request.headers, requestParameters(request), true) !== undefined
      );
    if (!tokenRefusals.includes(reply.statusCode)) return false;
    return reply.statusCode !== 403 || this.#isNewFromRunner(request, reply);
  }

  /**
   * At 403 a runner stops its job, or asks an hour later; at 429 it would ask again and again (runner-api.md §2). So one whose token is gone hears the same
   * as before: what was refused already is no guess. Neither is the token of a job that is over, whose status the answer tells.
   */
  #isNewFromRunner(request: FastifyRequest, reply: FastifyReply): boolean {
    if (reply.hasHeader('Job-Status')) return false;
    const token = requestParameters(request)['token'] ?? request.headers['job-token'];
    const refused = hashSecret(JSON.stringify([callerAddress(request.ip), token])).toString('base64');
    if (this.#refused.has(refused)) return false;
    this.#refused.add(refused);
    forgetOldest(this.#refused, mostRefused);
    return true;
  }

  async #refusal(address: string): Promise<Refusal | undefined> {
    const rate = { name, limit: this.limit, ...(await this.counts.add(`${name}:${address}`)) };
    // Once a minute, at whichever gateway it happens.
    if (rate.observed === this.limit + 1) this.log.warn({ address }, 'too many tokens that are no good');
    return refusalBeyond([rate], Date.now());
  }
}

/** @returns what is sent instead */
function inPlaceOf(reply: FastifyReply, refusal: Refusal): Buffer {
  reply.removeHeader('WWW-Authenticate');
  void reply.code(refusal.status).headers(refusal.headers).header('Content-Type', 'application/json');
  return Buffer.from(JSON.stringify(refusal.body));
}
