// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'auto_cancel', gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }] });
let runner: HandRunner;
let app: Project;

/** One branch for each story. */
const branches: Record<string, string> = {
  silent: 'build: { script: [make] }',
  conservative: `
build: { stage: build, script: [make], interruptible: true }
deploy: { stage: deploy, script: [make] }
`,
  interruptible: `
workflow: { auto_cancel: { on_new_commit: interruptible } }
deploy: { script: [make] }
check: { script: [make], interruptible: true }
`,
  none: `
workflow: { auto_cancel: { on_new_commit: none } }
build: { script: [make], interruptible: true }
`,
  fails: `
workflow: { auto_cancel: { on_job_failure: all } }
family: { stage: build, trigger: { include: child.yml, strategy: depend } }
allowed: { stage: build, script: [make], allow_failure: true, tags: [allowed] }
bad: { stage: build, script: [make], tags: [bad] }
other: { stage: build, script: [make], tags: [other] }
later: { stage: deploy, script: [make] }
`,
};

beforeAll(async () => {
  runner = await flagfall.newRunner({ tag_list: ['bad', 'allowed'], run_untagged: true });
  app = await flagfall.newProject({ files: { 'child.yml': 'inner: { script: [make], tags: [nobody] }' } });
  for (const [branch, config] of Object.entries(branches)) {
    await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
    await app.repository.commit({ '.gitlab-ci.yml': config });
  }
});

async function newCommit(branch: string): Promise<void> {
  await app.repository.git('checkout', '--quiet', branch);
  await app.repository.commit({ 'README.md': String(Math.random()) });
}
const take = (): Promise<TakenJob> =>
  until('a job', async () => {
    const { status, body } = await runner.request();
    return status === 201 && body;
  });
async function run(job: TakenJob, state: 'success' | 'failed' = 'success'): Promise<void> {
  await runner.put(job, { state: 'running' });
  await runner.end(job, state);
}

describe('a pipeline for a newer commit of the same branch', () => {
  it('cancels one whose jobs may be interrupted, unless another one of its jobs has begun', async () => {
    const first = await app.trigger('conservative');
    const same = await app.trigger('conservative');
    await newCommit('conservative');
    const second = await app.trigger('conservative');
    await app.pipelineIs(first.id, 'canceled');
    await app.pipelineIs(same.id, 'canceled');
    expect(await app.statuses(first.id)).toEqual({ build: 'canceled', deploy: 'canceled' });
    await run(await take());
    const deploying = await take();
    expect(deploying.job_info.pipeline_id).toBe(second.id);
    await runner.put(deploying, { state: 'running' });
    await newCommit('conservative');
    const third = await app.trigger('conservative');
    await newCommit('conservative');
    const fourth = await app.trigger('conservative');
    // The fourth looks at the second before it cancels the third.
    await app.pipelineIs(third.id, 'canceled');
    expect((await app.pipeline(second.id)).status).toBe('running');
    await runner.end(deploying, 'success');
    await app.post(`/pipelines/${fourth.id}/cancel`);
  });

  it('cancels only the jobs that may be interrupted where the file says so', async () => {
    const first = await app.trigger('interruptible');
    await newCommit('interruptible');
    const second = await app.trigger('interruptible');
    await app.jobIs(first.id, 'check', 'canceled');
    expect(await app.statuses(first.id)).toEqual({ check: 'canceled', deploy: 'pending' });
    for (const { id } of [first, second]) await app.post(`/pipelines/${id}/cancel`);
  });

  it.each(['none', 'silent'])('cancels nothing where the file says %s', async (branch) => {
    const first = await app.trigger(branch);
    await newCommit(branch);
    const second = await app.trigger(branch);
    for (const { id } of [first, second]) {
      const job = await take();
      expect(job.job_info.pipeline_id).toBe(id);
      await run(job);
      await app.pipelineIs(id, 'success');
    }
  });
});

describe('a job that fails', () => {
  it('cancels all others, children too, where the file says so', async () => {
    const { id } = await app.trigger('fails');
    const [bridge] = await until('the child', async () => {
      const bridges = await app.get(`/pipelines/${id}/bridges`);
      return bridges[0].status === 'running' && bridges;
    });
    const jobs = [await take(), await take()];
    const named = (name: string) => jobs.find((job) => job.job_info.name === name);
    await run(named('allowed'), 'failed');
    expect((await app.pipeline(id)).status).toBe('running');
    await run(named('bad'), 'failed');
    await app.pipelineIs(id, 'failed');
    expect(await app.statuses(id)).toEqual({ allowed: 'failed', bad: 'failed', other: 'canceled', later: 'canceled' });
    await app.pipelineIs(bridge.downstream_pipeline.id, 'canceled');
  });
});
