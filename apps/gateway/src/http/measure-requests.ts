import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, Histogram } from 'prom-client';
import type { Metrics } from '#libs/process';

const triggerRoute = '/trigger/pipeline';
/** In seconds. A caller waits for 8 s at most, and 0.15 s is what is promised. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts answers, refusals of limits, and how long calls of the trigger endpoint take. Nothing of what is called or by whom becomes a label. */
export function measureRequests(server: FastifyInstance, { registry }: Metrics): void {
  const registers = [registry];
  const answers = new Counter({
    name: 'flagfall_http_answers_total',
    help: 'Answers by status; `gone` where the caller did not wait for one',
    labelNames: ['status'],
    registers,
  });
  const refusals = new Counter({
    name: 'flagfall_rate_limit_refusals_total',
    help: 'Calls that were answered 429, by the limit that they were beyond',
    labelNames: ['limit'],
    registers,
  });
  const triggers = new Histogram({
    name: 'flagfall_trigger_duration_seconds',
    help: 'Calls of the trigger endpoint from their first byte to the answer, by what they came to',
    labelNames: ['outcome'],
    buckets,
    registers,
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { statusCode } = reply;
    const status = reply.raw.headersSent ? String(statusCode) : 'gone';
    answers.inc({ status });
    if (statusCode === 429) refusals.inc({ limit: limitOf(reply) });
    if (isTrigger(request)) triggers.observe({ outcome: outcomeOf(status) }, reply.elapsedTime / 1000);
    done();
  });
}

function isTrigger(request: FastifyRequest): boolean {
  return request.method === 'POST' && (request.routeOptions.url?.endsWith(triggerRoute) ?? false);
}

/** One of a fixed set: the limits' own names, and one for those that have no headers, such as how many streams there may be. */
function limitOf(reply: FastifyReply): string {
  return String(reply.getHeader('RateLimit-Name') ?? 'other');
}

function outcomeOf(status: string): string {
  if (status === '201') return 'created';
  if (status === '202') return 'accepted';
  if (status === '429') return 'limited';
  if (status === 'gone') return 'gone';
  return status.startsWith('5') ? 'failed' : 'refused';
}
