// needs: rabbitmq, postgresql
import { randomInt } from 'node:crypto';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Program } from '../testing/program.js';
import type { Project } from '../testing/project.js';
import { audit, openRequests, outcome } from './audit.js';
import { call, Callers } from './calls.js';

const config = `
build: { stage: build, script: [make] }
test: { stage: test, script: [make test] }
`;

const flagfall = startsFlagfall({ name: 'killed', gateways: 2, pipelineServices: 2 });
let app: Project;
let trigger: Trigger;

beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  trigger = await flagfall.newTrigger(app);
});

/** Kills at a moment that nobody chose, and starts again. */
async function killDuring(callers: Callers, programs: readonly Program[], from: number, to: number): Promise<void> {
  await callers.answered(randomInt(from, to));
  await Promise.all(programs.map((program) => program.kill()));
  await Promise.all(programs.map((program) => program.start()));
}

describe('two of each', () => {
  it('share the work, and each tells what the other began', async () => {
    const callers = new Callers(flagfall.installation.urls, trigger, 30, 6);
    await callers.done;
    expect(await audit(flagfall, callers.told)).toEqual({
      created: 30,
      accepted: 0,
      refused: 0,
      unknown: 0,
    });
    const [one, other] = flagfall.installation.urls as [string, string];
    const told = await call(one, trigger, { Prefer: 'respond-async' });
    const path = new URL(told.body.status_url).pathname;
    await until('the other gateway to tell', async () => {
      const answer = await fetch(`${other}${path}`);
      return ((await answer.json()) as { status: string }).status === 'created';
    });
  });

  it('refuse a revoked token at once, whichever revoked it', async () => {
    for (const [revokedAt, calledAt] of [flagfall.installation.urls, [...flagfall.installation.urls].reverse()] as [
      string,
      string,
    ][]) {
      const own = await flagfall.newTrigger(app);
      expect((await call(calledAt, own)).status).toBe(201);
      const revoked = await fetch(`${revokedAt}/api/v4/projects/${app.id}/triggers/${own.id}`, {
        method: 'DELETE',
        headers: { 'PRIVATE-TOKEN': flagfall.rootToken },
      });
      expect(revoked.status).toBe(204);
      expect(await call(calledAt, own)).toMatchObject({ status: 404, body: { message: '404 Not Found' } });
    }
  });
});

describe('Prefer: respond-async', () => {
  it('is answered at once with a URL that tells the outcome, and nothing else', async () => {
    const told = await call(flagfall.url, trigger, { Prefer: 'respond-async' });
    expect([told.status, told.body]).toEqual([
      202,
      {
        message: '202 Accepted',
        request_id: expect.stringMatching(/^[\da-f-]{36}$/),
        status: 'accepted',
        status_url: told.headers.get('location'),
      },
    ]);
    const settled = await until('the outcome', async () => {
      const now = await outcome(flagfall, told.body.status_url);
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
    expect(await audit(flagfall, [told])).toMatchObject({ accepted: 1 });
  });

  it('tells the answer that the call would have got', async () => {
    const form = [['token', trigger.token], ['ref', 'nowhere']] as const; // prettier-ignore
    const path = `/projects/${app.id}/trigger/pipeline`;
    const told = await flagfall.call({ method: 'POST', path, form, headers: { Prefer: 'respond-async' } });
    expect(told.status).toBe(202);
    const settled = await until('the outcome', async () => {
      const now = await outcome(flagfall, told.body.status_url);
      return now.status !== 'accepted' && now;
    });
    const refusal = await flagfall.call({ method: 'POST', path, form });
    expect(settled).toMatchObject({ status: 'rejected', response: { status: refusal.status, body: refusal.body } });
  });
});

describe('killed under load', () => {
  const victims: [string, () => readonly Program[]][] = [
    ['a gateway', () => [flagfall.installation.gateways[0]!]],
    ['a pipeline service', () => [flagfall.installation.pipelineServices[0]!]],
    ['both pipeline services', () => flagfall.installation.pipelineServices],
    ['the token service', () => [flagfall.installation.tokenService]],
    ['everything at once', () => [...flagfall.installation.gateways, ...flagfall.installation.pipelineServices, flagfall.installation.tokenService]],
  ]; // prettier-ignore

  it.each(victims)('%s loses no trigger, and doubles none', async (_, programs) => {
    const callers = new Callers(flagfall.installation.urls, trigger, 60, 8);
    await killDuring(callers, programs(), 5, 40);
    await callers.done;
    const sums = await audit(flagfall, callers.told);
    expect(sums.refused).toBe(0);
    expect(sums.created).toBeGreaterThan(0);
    expect(callers.told).toHaveLength(60);
  });
});

describe('stopped in good order', () => {
  it('a gateway answers those who wait, with a URL that tells the rest', async () => {
    const [gateway] = flagfall.installation.gateways as [Program];
    for (const service of flagfall.installation.pipelineServices) service.freeze();
    const waiting = Promise.all(Array.from({ length: 5 }, () => call(flagfall.url, trigger)));
    await until('the calls to be recorded', async () => (await openRequests(flagfall)) === 5);
    const ended = gateway.end('SIGTERM');
    const told = await waiting;
    for (const service of flagfall.installation.pipelineServices) service.thaw();
    expect(await ended).toBe(0);
    await gateway.start();
    expect(told.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(await audit(flagfall, told)).toMatchObject({ accepted: 5 });
  });

  it.each<[string, () => Program]>([
    ['a pipeline service', () => flagfall.installation.pipelineServices[0]!],
    ['the token service', () => flagfall.installation.tokenService],
  ])('%s finishes what it has begun, and no caller notices', async (_, program) => {
    const callers = new Callers(flagfall.installation.urls, trigger, 30, 6);
    await callers.answered(5);
    expect(await program().end('SIGTERM')).toBe(0);
    await program().start();
    await callers.done;
    const sums = await audit(flagfall, callers.told);
    expect([sums.created, sums.accepted]).toEqual([30, 0]);
  });
});
