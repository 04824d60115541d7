// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({
  name: 'downstream',
  pipelineServices: 2,
  gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }],
});
let runner: HandRunner;
let app: Project;
let target: Project;

type Body = Awaited<ReturnType<Project['get']>>;

const child = `
inner: { script: [make], rules: [{ if: $CI_PIPELINE_SOURCE == "parent_pipeline" }] }
called: { script: [make], rules: [{ if: $CI_PIPELINE_SOURCE == "trigger" }] }
`;
/** One branch for each story. */
const branches: Record<string, string> = {
  depends: `
prepare: { stage: build, script: [make] }
family: { stage: test, trigger: { include: ci/child.yml, strategy: depend }, variables: { FLAVOUR: $COLOUR on $CI_COMMIT_BRANCH } }
after: { stage: deploy, script: [make] }
`,
  'lets-go': 'family: { trigger: { include: ci/child.yml } }',
  bad: 'family: { trigger: { include: [{ local: ci/gone.yml }] } }',
  empty: 'family: { trigger: { include: ci/empty.yml } }',
  deep: 'family: { trigger: { include: ci/one.yml } }',
  releases: `
release:
  trigger: { project: group/target, branch: release, strategy: depend, forward: { pipeline_variables: true } }
  variables: { VERSION: v$NUMBER, KIND: file }
`,
  locked: 'release: { trigger: { project: group/target, branch: locked } }',
  inputs: 'release: { trigger: { project: $WHERE/target, inputs: { colour: blue } } }',
  nowhere: 'release: { trigger: group/nowhere }',
  once: 'release: { trigger: { project: group/target, branch: limited } }',
  'once-more': 'again: { trigger: { project: group/target, branch: limited } }',
  itself: 'release: { trigger: group/app }',
  round: 'release: { trigger: { project: group/target, branch: back } }',
  mirrors: 'status: { needs: { pipeline: group/target } }',
  tolerant: `
release: { stage: build, trigger: group/nowhere, allow_failure: true }
after: { stage: deploy, script: [make] }
`,
};

beforeAll(async () => {
  runner = await flagfall.newRunner();
  target = await flagfall.newProject({
    path: 'target',
    visibility: 'private',
    files: {
      '.gitlab-ci.yml': `
spec: { inputs: { colour: { default: none } } }
---
"work $[[ inputs.colour ]]": { script: [make] }
`,
    },
  });
  await target.repository.git('branch', 'release');
  await target.repository.git('branch', 'locked');
  await target.repository.git('checkout', '--quiet', '-b', 'limited');
  await target.repository.commit({ limited: 'a commit of its own' });
  await target.repository.git('checkout', '--quiet', '-b', 'back', 'main');
  await target.repository.commit({ '.gitlab-ci.yml': 'again: { trigger: { project: group/app, branch: round } }' });
  await target.repository.git('checkout', '--quiet', 'main');
  app = await flagfall.newProject({
    path: 'app',
    files: {
      'ci/child.yml': child,
      'ci/empty.yml': 'inner: { script: [make], rules: [{ if: $NEVER }] }',
      'ci/one.yml': 'one: { trigger: { include: ci/two.yml } }',
      'ci/two.yml': 'two: { trigger: { include: ci/child.yml } }',
    },
  });
  for (const [branch, config] of Object.entries(branches)) {
    await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': config });
  }
  await app.repository.git('checkout', '--quiet', 'main');
});

const bridges = (pipelineId: number, project = app): Promise<Body[]> => project.get(`/pipelines/${pipelineId}/bridges`);
/** Waits for a pipeline's only bridge to have a status. */
const bridgeIs = (pipelineId: number, status: string, project = app): Promise<Body> =>
  until(`the bridge of ${pipelineId} to be ${status}`, async () => {
    const [bridge] = await bridges(pipelineId, project);
    return bridge?.status === status && bridge;
  });
/** Ends the one job that waits. */
async function runNext(name: string, state: 'success' | 'failed' = 'success'): Promise<void> {
  const job = await until(`a job`, async () => {
    const { status, body } = await runner.request();
    return status === 201 && body;
  });
  expect(job.job_info.name).toBe(name);
  await runner.put(job, { state: 'running' });
  await runner.end(job, state);
}
const variablesOf = async (project: Project, { id }: { id: number }) =>
  Object.fromEntries((await project.get(`/pipelines/${id}/variables`)).map(({ key, value }: Body) => [key, value]));

describe('a child pipeline', () => {
  it('runs at the commit of its parent, which goes on when it is done', async () => {
    const { id, sha } = await app.trigger('depends', { COLOUR: 'red' });
    expect(await bridges(id)).toMatchObject([{ name: 'family', status: 'created', downstream_pipeline: null }]);
    await app.repository.git('checkout', '--quiet', 'depends');
    await app.repository.commit({ 'ci/child.yml': 'other: { script: [make] }' });
    await runNext('prepare');
    const { downstream_pipeline: downstream } = await bridgeIs(id, 'running');
    expect(downstream).toMatchObject({ source: 'parent_pipeline', ref: 'depends', sha, status: 'pending' });
    expect(Object.keys(await app.jobs(downstream.id))).toEqual(['inner']);
    expect(await variablesOf(app, downstream)).toEqual({ FLAVOUR: 'red on depends' });
    expect((await app.pipeline(id)).status).toBe('running');
    await runNext('inner');
    await bridgeIs(id, 'success');
    await runNext('after');
    await app.pipelineIs(id, 'success');
    expect((await app.pipelines()).map((pipeline) => pipeline.id)).not.toContain(downstream.id);
    const children = await app.get('/pipelines?source=parent_pipeline');
    expect(children.map((pipeline: Body) => pipeline.id)).toEqual([downstream.id]);
    await app.repository.git('reset', '--quiet', '--hard', sha);
    await app.repository.git('checkout', '--quiet', 'main');
  });

  it('that fails, fails its parent, and goes on with it when its job is run again', async () => {
    const { id } = await app.trigger('depends');
    await runNext('prepare');
    await runNext('inner', 'failed');
    const failed = await bridgeIs(id, 'failed');
    await app.pipelineIs(id, 'failed');
    expect(await app.statuses(id)).toEqual({ prepare: 'success', after: 'skipped' });
    await app.order(failed.downstream_pipeline.id, 'inner', 'retry');
    const again = await bridgeIs(id, 'running');
    expect(again.id).not.toBe(failed.id);
    expect(again.downstream_pipeline.id).toBe(failed.downstream_pipeline.id);
    await runNext('inner');
    await runNext('after');
    await app.pipelineIs(id, 'success');
  });

  it('is made anew when its trigger job is run again', async () => {
    const { id } = await app.trigger('depends');
    await runNext('prepare');
    await runNext('inner', 'failed');
    const failed = await bridgeIs(id, 'failed');
    await app.post(`/jobs/${failed.id}/retry`);
    const again = await bridgeIs(id, 'running');
    expect(again.downstream_pipeline.id).not.toBe(failed.downstream_pipeline.id);
    await app.post(`/pipelines/${id}/cancel`);
    await app.pipelineIs(id, 'canceled');
  });

  it('is canceled with its parent', async () => {
    const { id } = await app.trigger('depends');
    await runNext('prepare');
    const { downstream_pipeline: downstream } = await bridgeIs(id, 'running');
    await app.post(`/pipelines/${id}/cancel`);
    await app.pipelineIs(downstream.id, 'canceled');
    expect(await bridges(id)).toMatchObject([{ status: 'canceled' }]);
  });

  it('that nobody waits for lets its parent succeed at once', async () => {
    const { id } = await app.trigger('lets-go');
    const { downstream_pipeline: downstream } = await bridgeIs(id, 'success');
    await app.pipelineIs(id, 'success');
    expect(await app.pipeline(downstream.id)).toMatchObject({ status: 'pending' });
    await runNext('inner');
    await app.pipelineIs(downstream.id, 'success');
  });

  it('that cannot be made fails its trigger job', async () => {
    const { id } = await app.trigger('bad');
    const { downstream_pipeline: downstream, failure_reason } = await bridgeIs(id, 'failed');
    expect(failure_reason).toBe('downstream_pipeline_creation_failed');
    expect(await app.pipeline(downstream.id)).toMatchObject({
      status: 'failed',
      yaml_errors: 'Local file `ci/gone.yml` does not exist!',
    });
    const empty = await app.trigger('empty');
    expect(await bridgeIs(empty.id, 'failed')).toMatchObject({
      failure_reason: 'downstream_pipeline_creation_failed',
      downstream_pipeline: null,
    });
  });

  it('may have children, which may not', async () => {
    const { id } = await app.trigger('deep');
    const one = (await bridgeIs(id, 'success')).downstream_pipeline;
    const two = (await bridgeIs(one.id, 'success')).downstream_pipeline;
    const refused = await bridgeIs(two.id, 'failed');
    expect(refused).toMatchObject({ name: 'two', failure_reason: 'reached_max_descendant_pipelines_depth' });
  });
});

describe('a pipeline of another project', () => {
  it('gets the variables, and the trigger job waits for it', async () => {
    const { id } = await app.trigger('releases', { NUMBER: '7', KIND: 'call' });
    const { downstream_pipeline: downstream, ...bridge } = await bridgeIs(id, 'running');
    expect(Object.keys(bridge)).not.toContain('runner');
    expect(downstream).toMatchObject({ project_id: target.id, source: 'pipeline', ref: 'release', status: 'pending' });
    const variables = await variablesOf(target, downstream);
    expect(variables).toEqual({ VERSION: 'v7', NUMBER: '7', KIND: 'call', TRIGGER_PAYLOAD: expect.any(String) });
    await runNext('work none');
    await bridgeIs(id, 'success');
    await app.pipelineIs(id, 'success');
  });

  it('gets inputs', async () => {
    const { id } = await app.trigger('inputs', { WHERE: 'group' });
    const { downstream_pipeline: downstream } = await bridgeIs(id, 'success');
    expect(Object.keys(await target.jobs(downstream.id))).toEqual(['work blue']);
    await runNext('work blue');
  });

  it('is started with the rights of the pipeline’s user, and seen with those of whoever looks', async () => {
    const started = async (person: Person, branch = 'releases') => {
      const trigger = await flagfall.newTrigger(app, person);
      const { id } = await flagfall.trigger(trigger, branch);
      return (await until('the bridge to end', async () => {
        const [bridge] = await bridges(id);
        return ['failed', 'running'].includes(bridge.status) && [bridge, id];
      })) as [Body, number];
    };
    const [stranger, reporter, developer] = await Promise.all(
      ['stranger', 'reporter', 'developer'].map((name) => flagfall.newUser(name)),
    );
    for (const person of [stranger!, reporter!, developer!]) await flagfall.join(app, person, 40);
    await flagfall.join(target, reporter!, 20);
    await flagfall.join(target, developer!, 30);
    expect((await started(stranger!))[0]).toMatchObject({
      status: 'failed',
      failure_reason: 'downstream_bridge_project_not_found',
      downstream_pipeline: null,
    });
    expect((await started(reporter!))[0]).toMatchObject({
      status: 'failed',
      failure_reason: 'insufficient_bridge_permissions',
    });
    await target.post('/protected_branches', { name: 'locked' });
    expect((await started(developer!, 'locked'))[0]).toMatchObject({
      status: 'failed',
      failure_reason: 'insufficient_bridge_permissions',
    });
    const [bridge, id] = await started(developer!);
    expect(bridge).toMatchObject({ status: 'running', user: { username: 'developer' } });
    const seenBy = ({ token }: Person) => flagfall.must({ path: `/projects/${app.id}/pipelines/${id}/bridges`, token });
    expect(await seenBy(stranger!)).toMatchObject([{ status: 'running', downstream_pipeline: null }]);
    expect(await seenBy(reporter!)).toMatchObject([{ downstream_pipeline: { project_id: target.id } }]);
    const { body } = await flagfall.call({ path: `/projects/${app.id}/jobs/${bridge.id}`, token: developer!.token });
    expect(body).toEqual({ message: '404 Not found' });
    await runNext('work none');
    await app.pipelineIs(id, 'success');
  });

  it.each([
    ['nowhere', 'downstream_bridge_project_not_found'],
    ['itself', 'invalid_bridge_trigger'],
  ])('that cannot be: %s', async (branch, reason) => {
    const { id } = await app.trigger(branch);
    expect(await bridgeIs(id, 'failed')).toMatchObject({ failure_reason: reason, downstream_pipeline: null });
    await app.pipelineIs(id, 'failed');
  });

  it('that cannot be does not matter to a trigger job that may fail', async () => {
    const { id } = await app.trigger('tolerant');
    expect(await bridgeIs(id, 'failed')).toMatchObject({ allow_failure: true });
    await runNext('after');
    await app.pipelineIs(id, 'success');
  });

  it('does not start itself over and over', async () => {
    const { id } = await app.trigger('round');
    let [project, pipeline] = [app, id];
    const ends: string[] = [];
    for (let hop = 0; hop < 7; hop++) {
      const bridge = await until('the bridge to end', async () => {
        const [found] = await bridges(pipeline, project);
        return ['success', 'failed'].includes(found?.status) && found;
      });
      ends.push(bridge.failure_reason ?? bridge.status);
      if (bridge.status === 'failed') break;
      project = project === app ? target : app;
      pipeline = bridge.downstream_pipeline.id;
    }
    expect(ends).toEqual([...Array.from({ length: 5 }, () => 'success'), 'pipeline_loop_detected']);
  });

  it('that is deleted fails the job that waits for it', async () => {
    const { id } = await app.trigger('releases');
    const { downstream_pipeline: downstream } = await bridgeIs(id, 'running');
    await flagfall.root({ method: 'DELETE', path: `/projects/${target.id}/pipelines/${downstream.id}` });
    expect(await bridgeIs(id, 'failed')).toMatchObject({ downstream_pipeline: null });
  });
});

describe('a job with needs:pipeline', () => {
  it('takes over the status of the other project’s newest pipeline', async () => {
    const upstream = await target.trigger();
    const { id } = await app.trigger('mirrors');
    expect(await bridgeIs(id, 'running')).toMatchObject({ downstream_pipeline: null });
    await runNext('work none', 'failed');
    await bridgeIs(id, 'failed');
    await target.pipelineIs(upstream.id, 'failed');
    await app.pipelineIs(id, 'failed');
    const again = await app.trigger('mirrors');
    await bridgeIs(again.id, 'failed');
  });
});

describe('killed at any moment, the pipeline service', () => {
  it('starts one child for each trigger job', async () => {
    const services = flagfall.programs.filter(({ name }) => name.startsWith('pipeline-service'));
    const started = Array.from({ length: 20 }, () => app.trigger('lets-go'));
    const [first] = services;
    await Promise.race(started);
    await first!.kill();
    await first!.start();
    const parents = await Promise.all(started);
    const children = await Promise.all(
      parents.map(async ({ id }) => (await bridgeIs(id, 'success')).downstream_pipeline.id as number),
    );
    const all = await app.get('/pipelines?source=parent_pipeline&ref=lets-go&per_page=100');
    const made = all.map(({ id }: Body) => id as number).filter((id: number) => id >= Math.min(...children));
    expect(new Set(made)).toEqual(new Set(children));
    expect(made).toHaveLength(children.length);
  });
});

it('counts for the limit of pipelines a minute for one project, user and commit, as a call does', async () => {
  const limit = (pipeline_limit_per_project_user_sha: number) =>
    flagfall.root({ method: 'PUT', path: '/application/settings', json: { pipeline_limit_per_project_user_sha } });
  await limit(1);
  try {
    await bridgeIs((await app.trigger('once')).id, 'success');
    const refused = await bridgeIs((await app.trigger('once-more')).id, 'failed');
    expect(refused).toMatchObject({ failure_reason: 'downstream_pipeline_creation_failed', downstream_pipeline: null });
    const call = { token: (await flagfall.newTrigger(target, { token: flagfall.rootToken })).token, ref: 'limited' };
    const path = `/projects/${target.id}/trigger/pipeline`;
    expect(await flagfall.call({ method: 'POST', path, json: call })).toMatchObject({
      status: 400,
      body: { message: { base: ['Too many pipelines created in the last minute. Try again later.'] } },
    });
  } finally {
    await limit(0);
  }
});
