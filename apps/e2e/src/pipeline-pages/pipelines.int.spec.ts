// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'pipeline_pages', gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }] });
let app: Project;
let secret: Project;
let runner: HandRunner;
let trigger: Trigger;
let developer: Person;
let reporter: Person;
let stranger: Person;

type Body = Awaited<ReturnType<Project['get']>>;

const config = `
stages: [build, test, deploy]
compile: { stage: build, script: [make], tags: [] }
flaky: { stage: build, script: [make flaky], allow_failure: true }
units: { stage: test, script: [make test], needs: [compile], resource_group: lab }
live:
  stage: deploy
  script: [make deploy]
  when: manual
  environment: { name: live, url: "https://live.example.com" }
`;
const family = `
child: { stage: build, trigger: { include: ci/child.yml, strategy: depend } }
other: { stage: deploy, trigger: { project: group/secret, branch: main } }
`;

beforeAll(async () => {
  runner = await flagfall.newRunner();
  secret = await flagfall.newProject({
    path: 'secret',
    visibility: 'private',
    files: { '.gitlab-ci.yml': 'inner: { script: [make] }' },
  });
  app = await flagfall.newProject({
    path: 'app',
    visibility: 'private',
    files: { '.gitlab-ci.yml': config, 'ci/child.yml': 'inner: { script: [make] }' },
  });
  await app.repository.git('checkout', '--quiet', '-b', 'family');
  await app.repository.commit({ '.gitlab-ci.yml': family }, 'Bring the family\n\nAll of it.');
  await app.repository.git('checkout', '--quiet', '-b', 'broken');
  await app.repository.commit({ '.gitlab-ci.yml': 'compile: { script: [make], stage: nowhere }' });
  await app.repository.git('checkout', '--quiet', 'main');
  trigger = await flagfall.newTrigger(app);
  developer = await flagfall.newUser('developer');
  reporter = await flagfall.newUser('reporter');
  stranger = await flagfall.newUser('stranger');
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, reporter, 20);
});

const below = (path: string) => `//-/projects/${app.id}/pipelines${path}`;
const list = (query = '', token = flagfall.rootToken): Promise<Body[]> =>
  flagfall.must({ path: below(`?${query}`), token });
const show = (id: number, token = flagfall.rootToken): Promise<Body> => flagfall.must({ path: below(`/${id}`), token });
const ids = (pipelines: Body[]) => pipelines.map(({ id }) => id);
const job = (pipeline: Body, name: string): Body => pipeline.jobs.findLast((each: Body) => each.name === name);

/** Takes the one job that waits, under this name. */
async function begin(name: string): Promise<Body> {
  const taken = await until(`${name} to be handed out`, async () => {
    const { status, body } = await runner.request();
    return status === 201 && body;
  });
  expect(taken.job_info.name).toBe(name);
  await runner.put(taken, { state: 'running' });
  return taken;
}

describe('a pipeline', () => {
  let id: number;

  it('is told whole while it runs', async () => {
    ({ id } = await flagfall.trigger(trigger, 'main', { COLOUR: 'red' }));
    const sha = await app.repository.git('rev-parse', 'main');
    const compile = await begin('compile');
    await runner.end(await begin('flaky'), 'failed');
    expect(await show(id)).toEqual({
      id,
      iid: 1,
      name: null,
      status: 'running',
      detailed_status: expect.objectContaining({ group: 'running' }),
      ref: 'main',
      tag: false,
      sha,
      source: 'trigger',
      web_url: expect.stringMatching(new RegExp(`/group/app/-/pipelines/${id}$`)),
      created_at: expect.any(String),
      updated_at: expect.any(String),
      started_at: expect.any(String),
      finished_at: null,
      duration: null,
      queued_duration: expect.any(Number),
      yaml_errors: null,
      user: { id: 1, username: 'root', name: 'Administrator' },
      trigger: { id: trigger.id, short_token: trigger.token.slice(6, 10), channel: 'api', description: 'for a test' },
      commit: { title: 'Begin', author_name: expect.any(String) },
      stages: [
        { name: 'build', status: 'running', warnings: true, count: 2 },
        { name: 'test', status: 'created', warnings: false, count: 1 },
        { name: 'deploy', status: 'created', warnings: false, count: 1 },
      ],
      cancelable: true,
      retryable: true,
      upstream: null,
      failure_reason: null,
      jobs: expect.any(Array),
    });
    const { jobs } = await show(id);
    expect(jobs.map((each: Body) => each.name)).toEqual(['compile', 'flaky', 'units', 'live']);
    expect(jobs[0]).toEqual({
      id: compile.id,
      name: 'compile',
      stage: 'build',
      status: 'running',
      allow_failure: false,
      when: 'on_success',
      needs: [],
      scheduling: 'stage',
      created_at: expect.any(String),
      started_at: expect.any(String),
      finished_at: null,
      scheduled_at: null,
      duration: expect.any(Number),
      queued_duration: expect.any(Number),
      retried: false,
      manual: false,
      playable: false,
      retryable: false,
      cancelable: true,
      web_url: expect.stringMatching(new RegExp(`/group/app/-/jobs/${compile.id}$`)),
      tags: [],
      environment: null,
      resource_group: null,
      failure_reason: null,
      runner: { id: runner.id, description: 'for a test' },
      bridge: false,
      downstream: null,
    });
    expect(jobs[1]).toMatchObject({ status: 'failed', failure_reason: 'script_failure', retryable: true });
    expect(jobs[2]).toMatchObject({ needs: ['compile'], scheduling: 'dag', resource_group: 'lab', duration: null });
    expect(jobs[3]).toMatchObject({
      manual: true,
      environment: { name: 'live', url: 'https://live.example.com', action: 'start' },
    });
    await runner.end(compile, 'success');
    await runner.end(await begin('units'), 'success');
    await app.pipelineIs(id, 'success');
  });

  it('keeps the attempts of a job, of which the last one counts', async () => {
    await app.order(id, 'flaky', 'retry');
    const shown = await show(id);
    const attempts = shown.jobs.filter((each: Body) => each.name === 'flaky');
    expect(attempts.map(({ status, retried }: Body) => [status, retried])).toEqual([
      ['failed', true],
      ['pending', false],
    ]);
    expect(attempts[0].retryable).toBe(false);
    expect(shown.stages[0]).toEqual({ name: 'build', status: 'running', warnings: false, count: 2 });
    await runner.end(await begin('flaky'), 'success');
    await app.pipelineIs(id, 'success');
    expect(await show(id)).toMatchObject({ cancelable: false, retryable: false });
  });

  it('says what the one who looks can do', async () => {
    expect(job(await show(id, developer.token), 'live')).toMatchObject({ status: 'manual', playable: true });
    expect(job(await show(id, reporter.token), 'live')).toMatchObject({ status: 'manual', playable: false });
    await app.post('/protected_branches', { name: 'main', push_access_level: 40, merge_access_level: 40 });
    expect(job(await show(id, developer.token), 'live').playable).toBe(false);
    expect(job(await show(id), 'live').playable).toBe(true);
    const [line] = await list('', developer.token);
    expect(line).toMatchObject({ id, cancelable: false, retryable: false });
  });
});

it('tells where a job deploys to once that is known, and links to nothing but pages', async () => {
  await app.repository.git('checkout', '--quiet', '-b', 'places', 'main');
  await app.repository.commit({
    '.gitlab-ci.yml': `
live: { script: [make], environment: { name: live, url: "https://$CI_ENVIRONMENT_SLUG.example.com" } }
odd: { stage: deploy, script: [make], environment: { name: odd, url: "javascript:alert(1)" } }
`,
  });
  await app.repository.git('checkout', '--quiet', 'main');
  const { id } = await flagfall.trigger(trigger, 'places');
  const environments = async () => (await show(id)).jobs.map(({ environment }: Body) => environment);
  const odd = { name: 'odd', url: null, action: 'start' };
  expect(await environments()).toEqual([{ name: 'live', url: null, action: 'start' }, odd]);
  const live = await begin('live');
  expect(await environments()).toEqual([{ name: 'live', url: 'https://live.example.com', action: 'start' }, odd]);
  await runner.end(live, 'failed');
  await app.pipelineIs(id, 'failed');
  await flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/pipelines/${id}` });
});

it('a pipeline that did not compile has no stages, and its errors', async () => {
  const path = `/projects/${app.id}/trigger/pipeline`;
  const { status } = await flagfall.call({ method: 'POST', path, json: { token: trigger.token, ref: 'broken' } });
  expect(status).toBe(422);
  const [{ id }] = await list('ref=broken');
  const shown = await show(id);
  expect(shown).toMatchObject({ status: 'failed', failure_reason: 'config_error', stages: [], jobs: [] });
  expect(shown.yaml_errors).toMatch(/nowhere/);
  expect(shown).toMatchObject({ cancelable: false, retryable: false });
});

it('trigger jobs lead to the pipelines that they stand for, and back, as far as one may see', async () => {
  const { id } = await flagfall.trigger(trigger, 'family');
  const shown = await until('the child', async () => {
    const pipeline = await show(id);
    return job(pipeline, 'child').downstream && pipeline;
  });
  expect(shown.commit.title).toBe('Bring the family');
  const child = job(shown, 'child');
  expect(child).toMatchObject({ bridge: true, web_url: null, status: 'running', cancelable: true });
  expect(child.downstream).toEqual({
    id: expect.any(Number),
    project_path: 'group/app',
    status: 'pending',
    web_url: expect.stringMatching(/\/group\/app\/-\/pipelines\/\d+$/),
  });
  const below = await show(child.downstream.id, reporter.token);
  expect(below.upstream).toMatchObject({ id, project_path: 'group/app', status: 'running' });
  expect(ids(await list())).not.toContain(below.id);
  expect(ids(await list('source=parent_pipeline'))).toEqual([below.id]);

  await runner.end(await begin('inner'), 'success');
  const other = await until('the other project', async () => job(await show(id), 'other').downstream);
  expect(other.project_path).toBe('group/secret');
  expect(job(await show(id, reporter.token), 'other')).toMatchObject({ status: 'success', downstream: null });
  const path = `//-/projects/group%2Fsecret/pipelines/${other.id}`;
  expect((await flagfall.must({ path, token: flagfall.rootToken })).upstream.id).toBe(id);
  await flagfall.join(secret, reporter, 20);
  expect(job(await show(id, reporter.token), 'other').downstream.id).toBe(other.id);
  await runner.end(await begin('inner'), 'success');
});

describe('the list', () => {
  it('is of lines with stages, the newest first', async () => {
    const lines = await list();
    expect(ids(lines)).toEqual(ids(lines).sort((one, other) => other - one));
    expect(lines.map(({ ref }) => ref)).toEqual(['family', 'broken', 'main']);
    const { jobs: _jobs, upstream: _upstream, failure_reason: _reason, ...line } = await show(lines[2].id);
    // What the trigger is called is told by the pipeline alone.
    const { description: _description, ...trigger } = line.trigger;
    expect(lines[2]).toEqual({ ...line, trigger });
  });

  it.each([
    ['status=failed', ['broken']],
    ['ref=main', ['main']],
    ['ref=gone', []],
    ['source=api', []],
    ['source=trigger&scope=finished', ['family', 'broken', 'main']],
    ['scope=tags', []],
    ['trigger_id=<trigger>', ['family', 'broken', 'main']],
    ['trigger_id=999', []],
  ])('%s', async (query, refs) => {
    const lines = await list(query.replace('<trigger>', String(trigger.id)));
    expect(lines.map(({ ref }) => ref)).toEqual(refs);
  });

  it('has pages', async () => {
    const call = { path: below('?per_page=2&page=2'), token: flagfall.rootToken };
    const { body, headers } = await flagfall.call(call);
    expect(body.map(({ ref }: Body) => ref)).toEqual(['main']);
    expect(headers.get('x-total')).toBe('3');
    expect(headers.get('x-next-page')).toBe('');
    expect(headers.get('link')).toMatch(/\/-\/projects\/\d+\/pipelines\?id=\d+&page=1&per_page=2>; rel="prev"/);
    const behind = await flagfall.call({ ...call, path: below('?per_page=2&page=3') });
    expect([behind.body, behind.headers.get('x-total')]).toEqual([[], '3']);
  });

  it('refuses filters that mean nothing', async () => {
    const { status, body } = await flagfall.call({ path: below('?status=odd'), token: flagfall.rootToken });
    expect([status, body]).toEqual([400, { error: 'status does not have a valid value' }]);
  });
});

it('shows nothing to whoever may not see pipelines', async () => {
  const [{ id }] = await list();
  for (const path of ['', `/${id}`]) {
    for (const token of [undefined, stranger.token])
      expect((await flagfall.call({ path: below(path), token })).status).toBe(404);
    expect((await flagfall.call({ path: below(path), token: reporter.token })).status).toBe(200);
  }
  expect(
    (await flagfall.call({ path: `//-/projects/${secret.id}/pipelines/${id}`, token: flagfall.rootToken })).status,
  ).toBe(404);
});
