import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Environment } from './environment.js';

/** Where a service that has no HTTP of its own tells how it is. */
export interface HealthAddress {
  host: string;
  port: number;
}

/** Whether a part that the service needs works now. False, an error and two seconds of silence all mean no. */
export type HealthChecks = Record<string, () => boolean | Promise<boolean>>;

const limitMs = 2_000;

/** `HEALTH_PORT` on `HOST`; undefined, and then no port is opened, when it is not given. */
export function readHealthAddress(environment: Environment): HealthAddress | undefined {
  const port = environment.whole('HEALTH_PORT', 0, 0, 65_535);
  return port === 0 ? undefined : { host: environment.text('HOST') ?? '127.0.0.1', port };
}

/**
 * Answers `/-/liveness` and `/-/readiness` as the gateway does: 200 or 503 and, in the body, what of `checks` works.
 * Resolves once it listens.
 * @throws Error when the address is taken
 */
export async function openHealthPort(
  { host, port }: HealthAddress,
  checks: HealthChecks,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    const path = request.url?.split('?')[0];
    if (path === '/-/liveness') send(200, { status: 'ok' });
    else if (path === '/-/readiness') {
      void report(checks).then((report) => send(report.status === 'ok' ? 200 : 503, report));
    } else send(404, { message: '404 Not Found' });
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

async function report(checks: HealthChecks) {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, (await works(check)) ? 'ok' : 'failed'] as const),
  );
  return {
    status: results.every(([, result]) => result === 'ok') ? 'ok' : 'failed',
    checks: Object.fromEntries(results),
  };
}

async function works(check: HealthChecks[string]): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, limitMs, false);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
