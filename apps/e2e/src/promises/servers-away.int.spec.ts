// needs: rabbitmq, postgresql
import { type Installation, startInstallation } from '../installation.js';
import { eventually } from '../testing/eventually.js';
import { describeWith } from '../testing/installed.js';
import { printLogsOfFailures } from '../testing/logs-of-failures.js';
import {
  type OwnServer,
  ownPostgresql,
  ownRabbitmq,
  postgresqlPrograms,
  rabbitmqPrograms,
} from '../testing/own-servers.js';
import { type Trigger, Verbs } from '../verbs.js';
import { audit, openRequests, outcome } from './audit.js';
import { call, Callers, type Told } from './calls.js';

/** A caller waits 8 s for the outcome (architecture.md §2.7), and the rest is for a machine with other things to do. */
const patienceMs = 12_000;

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])('while a part is away', () => {
  let database: OwnServer;
  let broker: OwnServer;
  let installation: Installation;
  let verbs: Verbs;
  let trigger: Trigger;
  printLogsOfFailures(() => [...(installation?.programs ?? []), broker.program, database.program]);

  beforeAll(async () => {
    [database, broker] = await Promise.all([ownPostgresql(), ownRabbitmq()]);
    installation = await startInstallation({
      name: 'away',
      servers: { databaseUrl: database.url, amqpUrl: broker.url },
    });
    verbs = await Verbs.of(installation);
    const app = await verbs.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    trigger = await verbs.newTrigger(app, { token: installation.rootToken });
  }, 120_000);

  afterAll(async () => {
    await installation?.stop();
    await broker?.remove();
    await database?.remove();
  }, 60_000);

  const three = (): Promise<Told[]> => Promise.all(Array.from({ length: 3 }, () => call(installation.url, trigger)));

  /** Accepted, not yet decided, and told where to ask. */
  async function expectAccepted(told: readonly Told[]): Promise<void> {
    for (const { status, body, headers, tookMs } of told) {
      expect([status, body.status, body.status_url]).toEqual([202, 'accepted', headers.get('location')]);
      expect(tookMs).toBeLessThan(patienceMs);
      expect((await outcome(verbs, body.status_url)).status).toBe('accepted');
    }
  }

  /** Again as if nothing had been: each accepted call has one pipeline, and new ones are answered with theirs. */
  async function expectBack(told: readonly Told[], sums: object): Promise<void> {
    expect(await audit(installation, verbs, told)).toMatchObject(sums);
    const last = await eventually('a pipeline as the answer', async () => {
      const now = await call(installation.url, trigger);
      return now.status === 201 && now;
    });
    expect(last.body.source).toBe('trigger');
  }

  it('RabbitMQ dies: triggers are accepted at once, and run once when it is back', async () => {
    await broker.program.kill();
    const told = await three();
    await expectAccepted(told);
    const settings = await fetch(`${installation.url}/api/v4/application/settings`, {
      headers: { 'PRIVATE-TOKEN': installation.rootToken },
    });
    expect([settings.status, settings.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
    expect((await fetch(`${installation.url}/-/readiness`)).status).toBe(200);
    await broker.program.start();
    await expectBack(told, { accepted: 3 });
  }, 120_000);

  it('RabbitMQ says nothing any more: triggers are accepted in time, and run once when it does', async () => {
    broker.program.freeze();
    const told = await three();
    await expectAccepted(told);
    broker.program.thaw();
    await expectBack(told, { accepted: 3 });
  }, 90_000);

  it('the pipeline service is down: triggers are accepted, and run once when it is back', async () => {
    const [service] = installation.pipelineServices;
    await service!.kill();
    const told = await three();
    await expectAccepted(told);
    await service!.start();
    await expectBack(told, { accepted: 3 });
  }, 90_000);

  it('the pipeline service says nothing any more: triggers are accepted in time, and run once when it does', async () => {
    const [service] = installation.pipelineServices;
    service!.freeze();
    const told = await three();
    await expectAccepted(told);
    service!.thaw();
    await expectBack(told, { accepted: 3 });
  }, 90_000);

  it('the token service is down: triggers do not notice', async () => {
    await installation.tokenService.kill();
    const told = await three();
    expect(told.map(({ status }) => status)).toEqual([201, 201, 201]);
    await installation.tokenService.start();
    await expectBack(told, { created: 3 });
  }, 60_000);

  it('PostgreSQL is down: 503 and when to come again, and nothing else', async () => {
    await database.program.end('SIGQUIT');
    const told = await three();
    for (const { status, body, headers } of told) {
      expect([status, body]).toEqual([503, { message: '503 Service Unavailable' }]);
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
    }
    expect((await fetch(`${installation.url}/-/readiness`)).status).toBe(503);
    await database.program.start();
    await expectBack(told, { unknown: 3 });
  }, 60_000);

  it('PostgreSQL says nothing any more: 503 in time', async () => {
    database.program.freeze();
    const told = await three();
    database.program.thaw();
    for (const { status, headers, tookMs } of told) {
      expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
      expect(tookMs).toBeLessThan(20_000);
    }
    await expectBack(told, { unknown: 3 });
  }, 90_000);

  it('PostgreSQL dies under load: whoever was told of a pipeline has it', async () => {
    const callers = new Callers([installation.url], trigger, 80, 8);
    await callers.answered(20);
    await database.program.end('SIGQUIT');
    await callers.answered(40);
    await database.program.start();
    await callers.done;
    const statuses = new Set(callers.told.map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 201 && status !== 202 && status !== 503)).toEqual([]);
    expect((await audit(installation, verbs, callers.told)).created).toBeGreaterThanOrEqual(12);
    expect(await openRequests(installation)).toBe(0);
  }, 90_000);
});
