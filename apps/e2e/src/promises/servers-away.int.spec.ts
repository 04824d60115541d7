// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { openEventStream } from '../../../gateway/src/testing/event-stream.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';
import type { Program } from '../testing/program.js';
import { audit, openRequests, outcome } from './audit.js';
import { call, Callers, type Told } from './calls.js';

/** A caller waits 8 s for the outcome (architecture.md §2.7); the rest is for a machine with other things to do. Longer, and it hangs. */
const patienceMs = 30_000;

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])('while a part is away', () => {
  const flagfall = startsFlagfall({ name: 'away', ownServers: true });
  let database: Program;
  let broker: Program;
  let trigger: Trigger;

  beforeAll(async () => {
    [database, broker] = [flagfall.installation.database!.program, flagfall.installation.broker!.program];
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    trigger = await flagfall.newTrigger(app);
  });

  const three = (): Promise<Told[]> => Promise.all(Array.from({ length: 3 }, () => call(flagfall.url, trigger)));

  /** Accepted, not yet decided, and told where to ask. */
  async function expectAccepted(told: readonly Told[]): Promise<void> {
    for (const { status, body, headers, tookMs } of told) {
      expect([status, body.status, body.status_url]).toEqual([202, 'accepted', headers.get('location')]);
      expect(tookMs).toBeLessThan(patienceMs);
      expect((await outcome(flagfall, body.status_url)).status).toBe('accepted');
    }
  }

  /** Again as if nothing had been: each accepted call has one pipeline, and new ones are answered with theirs. */
  async function expectBack(told: readonly Told[], sums: object): Promise<void> {
    expect(await audit(flagfall, told)).toMatchObject(sums);
    const last = await until('a pipeline as the answer', async () => {
      const now = await call(flagfall.url, trigger);
      return now.status === 201 && now;
    });
    expect(last.body.source).toBe('trigger');
  }

  it('RabbitMQ dies: triggers are accepted at once, and run once when it is back', async () => {
    await broker.kill();
    const told = await three();
    await expectAccepted(told);
    const settings = await fetch(`${flagfall.url}/api/v4/application/settings`, {
      headers: { 'PRIVATE-TOKEN': flagfall.rootToken },
    });
    expect([settings.status, settings.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
    expect((await fetch(`${flagfall.url}/-/readiness`)).status).toBe(200);
    await broker.start();
    await expectBack(told, { accepted: 3 });
  });

  it('pages that watch read again once RabbitMQ is back', async () => {
    const url = `${flagfall.url}/-/projects/${trigger.projectId}/live`;
    const page = await openEventStream(url, { 'PRIVATE-TOKEN': flagfall.rootToken });
    await broker.kill();
    expect(page.text).not.toContain('reset');
    await broker.start();
    expect(await page.reads('event: reset')).toMatch(/^retry: 2000\n/);
    const now = await until('a pipeline as the answer', async () => {
      const told = await call(flagfall.url, trigger);
      return told.status === 201 && told;
    });
    await page.reads(`event: pipeline\ndata: {"id":${now.body.id},`);
    page.close();
  });

  it('RabbitMQ says nothing any more: triggers are accepted in time, and run once when it does', async () => {
    broker.freeze();
    const told = await three();
    await expectAccepted(told);
    broker.thaw();
    await expectBack(told, { accepted: 3 });
  });

  it('the pipeline service is down: triggers are accepted, and run once when it is back', async () => {
    const [service] = flagfall.installation.pipelineServices;
    await service!.kill();
    const told = await three();
    await expectAccepted(told);
    await service!.start();
    await expectBack(told, { accepted: 3 });
  });

  it('the pipeline service says nothing any more: triggers are accepted in time, and run once when it does', async () => {
    const [service] = flagfall.installation.pipelineServices;
    service!.freeze();
    const told = await three();
    await expectAccepted(told);
    service!.thaw();
    await expectBack(told, { accepted: 3 });
  });

  it('the token service is down: triggers do not notice', async () => {
    await flagfall.installation.tokenService.kill();
    const told = await three();
    expect(told.map(({ status }) => status)).toEqual([201, 201, 201]);
    await flagfall.installation.tokenService.start();
    await expectBack(told, { created: 3 });
  });

  it('PostgreSQL is down: 503 and when to come again, and nothing else', async () => {
    await database.end('SIGQUIT');
    const told = await three();
    for (const { status, body, headers } of told) {
      expect([status, body]).toEqual([503, { message: '503 Service Unavailable' }]);
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
    }
    expect((await fetch(`${flagfall.url}/-/readiness`)).status).toBe(503);
    await database.start();
    await expectBack(told, { unknown: 3 });
  });

  it('PostgreSQL says nothing any more: 503 in time', async () => {
    database.freeze();
    const told = await three();
    database.thaw();
    for (const { status, headers, tookMs } of told) {
      expect([status, headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
      expect(tookMs).toBeLessThan(patienceMs);
    }
    await expectBack(told, { unknown: 3 });
  });

  it('PostgreSQL dies under load: whoever was told of a pipeline has it', async () => {
    const callers = new Callers([flagfall.url], trigger, 80, 8);
    await callers.answered(20);
    await database.end('SIGQUIT');
    await callers.answered(40);
    await database.start();
    await callers.done;
    const statuses = new Set(callers.told.map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 201 && status !== 202 && status !== 503)).toEqual([]);
    expect((await audit(flagfall, callers.told)).created).toBeGreaterThanOrEqual(12);
    expect(await openRequests(flagfall)).toBe(0);
  });
});
