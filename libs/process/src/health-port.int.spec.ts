import { Environment } from './environment.js';
import { checkAll, openHealthPort, readHealthAddress, type HealthChecks } from './health-port.js';
import { Metrics } from './metrics.js';

async function withPort(checks: HealthChecks, use: (url: string) => Promise<void>): Promise<void> {
  const health = await openHealthPort({ host: '127.0.0.1', port: 0 }, () => checkAll(checks), new Metrics());
  try {
    await use(`http://127.0.0.1:${health.port}`);
  } finally {
    await health.close();
  }
}

describe('the health port', () => {
  it('is ready while everything works', async () => {
    const working = { database: true, broker: true };
    const checks = { database: () => working.database, broker: async () => working.broker };
    await withPort(checks, async (url) => {
      const good = await fetch(`${url}/-/readiness`);
      expect([good.status, await good.json()]).toEqual([
        200,
        { status: 'ok', checks: { database: 'ok', broker: 'ok' } },
      ]);
      working.broker = false;
      const bad = await fetch(`${url}/-/readiness`);
      const checked = { database: 'ok', broker: 'failed' };
      expect([bad.status, await bad.json()]).toEqual([503, { status: 'failed', checks: checked }]);
    });
  });

  it('takes an error and silence for a no, and is alive all the same', async () => {
    const checks = {
      broken: () => {
        throw new Error('away');
      },
      silent: () => new Promise<boolean>(() => undefined),
    };
    await withPort(checks, async (url) => {
      expect((await fetch(`${url}/-/liveness`)).status).toBe(200);
      const answer = await fetch(`${url}/-/readiness`);
      expect(await answer.json()).toEqual({ status: 'failed', checks: { broken: 'failed', silent: 'failed' } });
    });
  });

  it('has no other pages', async () => {
    await withPort({}, async (url) => expect((await fetch(`${url}/`)).status).toBe(404));
  });

  it('says when its port is taken', async () => {
    await withPort({}, async (url) => {
      const port = Number(new URL(url).port);
      await expect(openHealthPort({ host: '127.0.0.1', port }, () => checkAll({}), new Metrics())).rejects.toThrow(
        'EADDRINUSE',
      );
    });
  });
});

test('there is a health port only where one was asked for', () => {
  expect(readHealthAddress(new Environment({}))).toBeUndefined();
  expect(readHealthAddress(new Environment({ HEALTH_PORT: '8081', HOST: '0.0.0.0' }))).toEqual({
    host: '0.0.0.0',
    port: 8081,
  });
});
