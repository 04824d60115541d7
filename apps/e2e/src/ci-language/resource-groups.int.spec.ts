// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({
  name: 'resource_groups',
  pipelineServices: 2,
  gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }],
});
let runner: HandRunner;
let app: Project;
let developer: Person;
let reporter: Person;

/** In `staged` each pipeline has a job before the one of the group, which is not ready from the start. */
const branches: Record<string, string> = {
  main: 'deploy: { script: [make], resource_group: $CI_COMMIT_BRANCH/prod }',
  staged: `
build: { stage: build, script: [make] }
deploy: { stage: deploy, script: [make], resource_group: staged }
`,
  manual: 'deploy: { script: [make], resource_group: manual, when: manual }',
  children: 'family: { trigger: { include: child.yml, strategy: depend }, resource_group: children }',
};

beforeAll(async () => {
  runner = await flagfall.newRunner();
  app = await flagfall.newProject({ files: { 'child.yml': 'inner: { script: [make] }' } });
  for (const [branch, config] of Object.entries(branches)) {
    if (branch !== 'main') await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': config });
  }
  developer = await flagfall.newUser('developer');
  reporter = await flagfall.newUser('reporter');
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, reporter, 20);
});

const take = (): Promise<TakenJob> =>
  until('a job', async () => {
    const { status, body } = await runner.request();
    return status === 201 && body;
  });
const pipelineOf = (job: TakenJob) => job.job_info.pipeline_id;
async function run(job: TakenJob, state: 'success' | 'failed' = 'success'): Promise<void> {
  await runner.put(job, { state: 'running' });
  await runner.end(job, state);
}
async function setMode(key: string, mode: string): Promise<void> {
  const path = `/projects/${app.id}/resource_groups/${encodeURIComponent(key)}`;
  await flagfall.must({ method: 'PUT', path, token: developer.token, json: { process_mode: mode } });
}

describe('jobs of one resource group', () => {
  it('run one at a time, the others wait for it', async () => {
    const [first, second] = [await app.trigger(), await app.trigger()];
    const held = await take();
    expect(pipelineOf(held)).toBe(first.id);
    await app.pipelineIs(second.id, 'waiting_for_resource');
    expect(await app.statuses(second.id)).toEqual({ deploy: 'waiting_for_resource' });
    expect((await runner.request()).status).toBe(204);
    await runner.put(held, { state: 'running' });
    expect((await runner.request()).status).toBe(204);
    await runner.end(held, 'failed');
    const next = await take();
    expect(pipelineOf(next)).toBe(second.id);
    await run(next);
    await app.pipelineIs(second.id, 'success');
  });

  it('go on when the one in progress is canceled, or the one that waits is', async () => {
    const [first, second, third] = [await app.trigger(), await app.trigger(), await app.trigger()];
    await app.jobIs(first.id, 'deploy', 'pending');
    await app.post(`/pipelines/${second.id}/cancel`);
    await app.pipelineIs(second.id, 'canceled');
    await app.order(first.id, 'deploy', 'cancel');
    const next = await take();
    expect(pipelineOf(next)).toBe(third.id);
    await app.order(first.id, 'deploy', 'retry');
    await app.jobIs(first.id, 'deploy', 'waiting_for_resource');
    await run(next);
    await run(await take());
    await app.pipelineIs(first.id, 'success');
  });

  it('go on when the pipeline in progress is deleted, and after every process was killed', async () => {
    const [first, second] = [await app.trigger(), await app.trigger()];
    await app.pipelineIs(second.id, 'waiting_for_resource');
    const services = flagfall.programs.filter(({ name }) => name.startsWith('pipeline-service'));
    await Promise.all(services.map((service) => service.kill()));
    await Promise.all(services.map((service) => service.start()));
    await flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/pipelines/${first.id}` });
    const next = await take();
    expect(pipelineOf(next)).toBe(second.id);
    await run(next);
  });

  it('that a person starts wait as well', async () => {
    const [first, second] = [await app.trigger('manual'), await app.trigger('manual')];
    expect(await app.order(first.id, 'deploy', 'play')).toMatchObject({ status: 'waiting_for_resource' });
    await app.order(second.id, 'deploy', 'play');
    await run(await take());
    const next = await take();
    expect(pipelineOf(next)).toBe(second.id);
    await run(next);
  });

  it('may start pipelines, which they wait for', async () => {
    const [first, second] = [await app.trigger('children'), await app.trigger('children')];
    const bridge = async ({ id }: { id: number }) => (await app.get(`/pipelines/${id}/bridges`))[0].status;
    await until('the first child', async () => (await bridge(first)) === 'running');
    expect(await bridge(second)).toBe('waiting_for_resource');
    await run(await take());
    await until('the second child', async () => (await bridge(second)) === 'running');
    expect(await bridge(first)).toBe('success');
    await run(await take());
  });
});

describe('the process mode', () => {
  /** Starts two pipelines, makes the group's jobs ready in this order, and tells in which order they run. */
  async function order(mode: string, ready: ('first' | 'second')[]): Promise<string[]> {
    const pipelines = { first: await app.trigger('staged'), second: await app.trigger('staged') };
    await setMode('staged', mode);
    const builds = [await take(), await take()];
    const nameOf = (job: TakenJob) => (pipelineOf(job) === pipelines.first.id ? 'first' : 'second');
    const order: string[] = [];
    for (const name of ready) {
      await run(builds.find((job) => nameOf(job) === name));
      await until(`the turn of ${name} to be decided`, async () => {
        const { deploy } = await app.statuses(pipelines[name].id);
        return deploy === 'waiting_for_resource' || deploy === 'pending';
      });
    }
    for (let done = 0; done < 2; done++) {
      const job = await take();
      order.push(nameOf(job));
      await run(job);
    }
    await app.pipelineIs(pipelines.first.id, 'success');
    await app.pipelineIs(pipelines.second.id, 'success');
    return order;
  }

  it.each([
    ['oldest_first', ['second', 'first'], ['first', 'second']],
    ['newest_first', ['first', 'second'], ['second', 'first']],
    ['unordered', ['second', 'first'], ['second', 'first']],
    ['newest_ready_first', ['first', 'second'], ['first', 'second']],
  ] as const)('%s', async (mode, ready, expected) => {
    expect(await order(mode, [...ready])).toEqual(expected);
  });
});

describe('the API', () => {
  const group = '/resource_groups/main%2Fprod';

  it('shows groups, and who waits for them', async () => {
    const all = await app.get('/resource_groups');
    expect(all.map(({ key }: { key: string }) => key).sort((a: string, b: string) => a.localeCompare(b))).toEqual([
      'children',
      'main/prod',
      'manual',
      'staged',
    ]);
    expect(await app.get(group)).toEqual({
      id: expect.any(Number),
      key: 'main/prod',
      process_mode: 'unordered',
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    const [first, second] = [await app.trigger(), await app.trigger()];
    await app.jobIs(first.id, 'deploy', 'pending');
    expect(await app.get(`${group}/upcoming_jobs`)).toMatchObject([{ name: 'deploy', pipeline: { id: second.id } }]);
    await run(await take());
    await run(await take());
  });

  it('lets Developers change them', async () => {
    const call = (method: string, path: string, token: string | undefined, json?: object) =>
      flagfall.call({ method, path: `/projects/${app.id}${path}`, token, json });
    const { token } = developer;
    expect(await call('PUT', group, token, { process_mode: 'newest_first' })).toMatchObject({
      status: 200,
      body: { process_mode: 'newest_first' },
    });
    expect(await call('PUT', group, token, { process_mode: 'random' })).toMatchObject({
      status: 400,
      body: { error: 'process_mode does not have a valid value' },
    });
    expect((await call('PUT', group, reporter.token, { process_mode: 'unordered' })).status).toBe(403);
    expect((await call('GET', group, reporter.token)).status).toBe(200);
    expect((await call('GET', '/resource_groups', undefined)).status).toBe(401);
    expect((await call('GET', '/resource_groups/none', token)).status).toBe(404);
    expect((await call('PUT', '/resource_groups/none', token, { process_mode: 'unordered' })).status).toBe(404);
  });
});
