// needs: rabbitmq, postgresql
import { randomInt } from 'node:crypto';
import { type Installation, startInstallation } from '../installation.js';
import { eventually } from '../testing/eventually.js';
import { printLogsOfFailures } from '../testing/logs-of-failures.js';
import type { Program } from '../testing/program.js';
import { type Project, type Trigger, Verbs } from '../verbs.js';
import { audit, openRequests, outcome } from './audit.js';
import { call, Callers } from './calls.js';

const config = `
build: { stage: build, script: [make] }
test: { stage: test, script: [make test] }
`;

let installation: Installation;
let verbs: Verbs;
let app: Project;
let trigger: Trigger;
printLogsOfFailures(() => installation?.programs ?? []);

beforeAll(async () => {
  installation = await startInstallation({ name: 'killed', gateways: 2, pipelineServices: 2 });
  verbs = await Verbs.of(installation);
  app = await verbs.newProject({ files: { '.gitlab-ci.yml': config } });
  trigger = await verbs.newTrigger(app, { token: installation.rootToken });
}, 90_000);

afterAll(() => installation?.stop());

/** Kills at a moment that nobody chose, and starts again. */
async function killDuring(callers: Callers, programs: Program[], from: number, to: number): Promise<void> {
  await callers.answered(randomInt(from, to));
  await Promise.all(programs.map((program) => program.kill()));
  await Promise.all(programs.map((program) => program.start()));
}

describe('two of each', () => {
  it('share the work, and each tells what the other began', async () => {
    const callers = new Callers(installation.urls, trigger, 30, 6);
    await callers.done;
    expect(await audit(installation, verbs, callers.told)).toEqual({
      created: 30,
      accepted: 0,
      refused: 0,
      unknown: 0,
    });
    const [one, other] = installation.urls as [string, string];
    const told = await call(one, trigger, { Prefer: 'respond-async' });
    const path = new URL(told.body.status_url).pathname;
    await eventually('the other gateway to tell', async () => {
      const answer = await fetch(`${other}${path}`);
      return ((await answer.json()) as { status: string }).status === 'created';
    });
  });

  it('refuse a revoked token at once, whichever revoked it', async () => {
    for (const [revokedAt, calledAt] of [installation.urls, [...installation.urls].reverse()] as [string, string][]) {
      const own = await verbs.newTrigger(app, { token: installation.rootToken });
      expect((await call(calledAt, own)).status).toBe(201);
      const revoked = await fetch(`${revokedAt}/api/v4/projects/${app.id}/triggers/${own.id}`, {
        method: 'DELETE',
        headers: { 'PRIVATE-TOKEN': installation.rootToken },
      });
      expect(revoked.status).toBe(204);
      expect(await call(calledAt, own)).toMatchObject({ status: 404, body: { message: '404 Not Found' } });
    }
  });
});

describe('Prefer: respond-async', () => {
  it('is answered at once with a URL that tells the outcome, and nothing else', async () => {
    const told = await call(installation.url, trigger, { Prefer: 'respond-async' });
    expect([told.status, told.body]).toEqual([
      202,
      {
        message: '202 Accepted',
        request_id: expect.stringMatching(/^[\da-f-]{36}$/),
        status: 'accepted',
        status_url: told.headers.get('location'),
      },
    ]);
    const settled = await eventually('the outcome', async () => {
      const now = await outcome(verbs, told.body.status_url);
      return now.status !== 'accepted' && now;
    });
    expect(settled).toEqual({
      request_id: told.body.request_id,
      status: 'created',
      pipeline: { id: expect.any(Number), web_url: expect.stringContaining(`${app.path}/-/pipelines/`), status: expect.any(String) },
    }); // prettier-ignore
    const answer = await fetch(told.body.status_url);
    expect([answer.headers.get('cache-control'), answer.headers.get('referrer-policy')]).toEqual([
      'no-store',
      'no-referrer',
    ]);
    expect((await fetch(`${told.body.status_url}0`)).status).toBe(404);
    expect(await audit(installation, verbs, [told])).toMatchObject({ accepted: 1 });
  });

  it('tells the answer that the call would have got', async () => {
    const form = [['token', trigger.token], ['ref', 'nowhere']] as const; // prettier-ignore
    const path = `/projects/${app.id}/trigger/pipeline`;
    const told = await verbs.api.call({ method: 'POST', path, form, headers: { Prefer: 'respond-async' } });
    expect(told.status).toBe(202);
    const settled = await eventually('the outcome', async () => {
      const now = await outcome(verbs, told.body.status_url);
      return now.status !== 'accepted' && now;
    });
    const refusal = await verbs.api.call({ method: 'POST', path, form });
    expect(settled).toMatchObject({ status: 'rejected', response: { status: refusal.status, body: refusal.body } });
  });
});

describe('killed under load', () => {
  const victims: [string, () => Program[], string[] | undefined][] = [
    ['a gateway', () => [installation.gateways[0]!], undefined],
    ['a pipeline service', () => [installation.pipelineServices[0]!], undefined],
    ['both pipeline services', () => installation.pipelineServices, undefined],
    ['the token service', () => [installation.tokenService], undefined],
    ['everything at once', () => [...installation.gateways, ...installation.pipelineServices, installation.tokenService], undefined],
  ]; // prettier-ignore

  it.each(victims)(
    '%s loses no trigger, and doubles none',
    async (_, programs) => {
      const callers = new Callers(installation.urls, trigger, 60, 8);
      await killDuring(callers, programs(), 5, 40);
      await callers.done;
      const sums = await audit(installation, verbs, callers.told);
      expect(sums.refused).toBe(0);
      expect(sums.created).toBeGreaterThan(0);
      expect(callers.told).toHaveLength(60);
    },
    90_000,
  );
});

describe('stopped in good order', () => {
  it('a gateway answers those who wait, with a URL that tells the rest', async () => {
    const [gateway] = installation.gateways as [Program];
    for (const service of installation.pipelineServices) service.freeze();
    const waiting = Promise.all(Array.from({ length: 5 }, () => call(installation.url, trigger)));
    await eventually('the calls to be recorded', async () => (await openRequests(installation)) === 5);
    const ended = gateway.end('SIGTERM');
    const told = await waiting;
    for (const service of installation.pipelineServices) service.thaw();
    expect(await ended).toBe(0);
    await gateway.start();
    expect(told.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(await audit(installation, verbs, told)).toMatchObject({ accepted: 5 });
  }, 60_000);

  it.each<[string, () => Program]>([
    ['a pipeline service', () => installation.pipelineServices[0]!],
    ['the token service', () => installation.tokenService],
  ])(
    '%s finishes what it has begun, and no caller notices',
    async (_, program) => {
      const callers = new Callers(installation.urls, trigger, 30, 6);
      await callers.answered(5);
      expect(await program().end('SIGTERM')).toBe(0);
      await program().start();
      await callers.done;
      const sums = await audit(installation, verbs, callers.told);
      expect([sums.created, sums.accepted]).toEqual([30, 0]);
    },
    60_000,
  );
});
