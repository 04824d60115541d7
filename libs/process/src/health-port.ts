import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Environment } from './environment.js';
import { inTime } from './in-time.js';
import type { Metrics } from './metrics.js';

/** Where a process tells its operators how it is. Whoever reaches it is told. */
export interface HealthAddress {
  host: string;
  port: number;
}

/** Whether a part that the service needs works now. False, an error and two seconds of silence all mean no. */
export type HealthChecks = Record<string, () => boolean | Promise<boolean>>;

/** Whether requests can be served, and which parts work. */
export interface HealthReport {
  ready: boolean;
  checks: Record<string, 'ok' | 'failed'>;
}

const limitMs = 2_000;

/** `HEALTH_PORT` on `HOST`; undefined, and then no port is opened, when it is not given. */
export function readHealthAddress(environment: Environment): HealthAddress | undefined {
  const port = environment.whole('HEALTH_PORT', 0, 0, 65_535);
  return port === 0 ? undefined : { host: environment.text('HOST') ?? '127.0.0.1', port };
}

/** Asks all of them at once. */
export async function checkAll(checks: HealthChecks): Promise<HealthReport> {
  const results = await Promise.all(
    Object.entries(checks).map(
      async ([name, check]) => [name, (await inTime(limitMs, check)) ? 'ok' : 'failed'] as const,
    ),
  );
  return { ready: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) };
}

/**
 * Answers `/-/liveness`, `/-/readiness` and `/-/metrics` as the gateway does: 200, or 503 from `/-/readiness` when it is not ready. Resolves once it listens.
 * @throws Error when the address is taken
 */
export async function openHealthPort(
  { host, port }: HealthAddress,
  report: () => Promise<HealthReport>,
  metrics: Metrics,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const send = (status: number, body: string, type = 'application/json'): void => {
      response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
      response.end(body);
    };
    const path = request.url?.split('?')[0];
    if (path === '/-/liveness') send(200, JSON.stringify({ status: 'ok' }));
    else if (path === '/-/readiness') {
      void report().then(({ ready, checks }) =>
        send(ready ? 200 : 503, JSON.stringify({ status: ready ? 'ok' : 'failed', checks })),
      );
    } else if (path === '/-/metrics') void metrics.text().then((text) => send(200, text, metrics.contentType));
    else send(404, JSON.stringify({ message: '404 Not Found' }));
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
