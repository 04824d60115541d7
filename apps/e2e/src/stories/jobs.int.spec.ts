// needs: rabbitmq, postgresql
import { type Installation, startInstallation } from '../installation.js';
import { Runs } from '../runs.js';
import { describeWith } from '../testing/installed.js';
import { printLogsOfFailures } from '../testing/logs-of-failures.js';
import { type Project, type Trigger, Verbs } from '../verbs.js';

/** One project with a branch for each story; `jobs` is the branch's configuration. */
const branches = {
  'tells-of-itself': `
variables: { SHADE: from the file }
tell:
  script:
  - echo source=$CI_PIPELINE_SOURCE triggered=$CI_PIPELINE_TRIGGERED short=$CI_TRIGGER_SHORT_TOKEN
  - echo project=$CI_PROJECT_PATH ref=$CI_COMMIT_REF_NAME branch=$CI_COMMIT_BRANCH sha=$CI_COMMIT_SHA
  - echo job=$CI_JOB_NAME stage=$CI_JOB_STAGE user=$GITLAB_USER_LOGIN api=$CI_API_V4_URL
  - echo "payload=$(cat "$TRIGGER_PAYLOAD")"
  - echo "shade=$SHADE"
  - echo "secret=$SECRET and spelt out s3cret-value-1"
  - test "$(git rev-parse HEAD)" = "$CI_COMMIT_SHA"
`,
  fails: `
first: { stage: build, script: [exit 3] }
beside: { stage: build, script: [echo I run too] }
second: { stage: test, script: [echo never] }
last: { stage: .post, when: always, script: [echo in any case] }
`,
  waits: `
wait:
  script: [echo waiting, sleep 300]
  after_script: [echo cleaned up]
after: { stage: deploy, script: [echo never] }
`,
  manual: `
build: { stage: build, script: [echo built] }
deploy: { stage: deploy, when: manual, script: ['echo deployed to $TARGET'] }
`,
  flaky: `
flaky: { stage: test, script: ['test -e "$FLAG"'] }
afterwards: { stage: deploy, script: [echo went on] }
`,
  downstream: `
start:
  script:
  - curl --fail-with-body --request POST --form token=$CI_JOB_TOKEN --form ref=upstreamed $CI_API_V4_URL/projects/$CI_PROJECT_ID/trigger/pipeline
`,
  upstreamed: `
tell:
  script: ['echo source=$CI_PIPELINE_SOURCE triggered=[$CI_PIPELINE_TRIGGERED] short=[$CI_TRIGGER_SHORT_TOKEN]']
not_for_tokens: { only: [triggers], script: [echo never] }
`,
};

describeWith([['curl']])('jobs of triggered pipelines', () => {
  let installation: Installation;
  let verbs: Verbs;
  let app: Project;
  let trigger: Trigger;
  let runs: Runs;
  printLogsOfFailures(() => installation?.programs ?? []);

  beforeAll(async () => {
    installation = await startInstallation({ name: 'jobs' });
    verbs = await Verbs.of(installation);
    app = await verbs.newProject({ files: { 'README.md': 'hello\n' } });
    for (const [branch, jobs] of Object.entries(branches)) {
      await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
      await app.repository.commit({ '.gitlab-ci.yml': jobs });
    }
    trigger = await verbs.newTrigger(app, { token: installation.rootToken });
    runs = new Runs(verbs, app.id);
    await installation.startRunner({ concurrency: 4 });
  }, 90_000);

  afterAll(() => installation?.stop());

  it('know where they come from, and hide what is secret', async () => {
    const json = { key: 'SECRET', value: 's3cret-value-1', masked: true };
    await verbs.root({ method: 'POST', path: `/projects/${app.id}/variables`, json });
    const { id, sha } = await verbs.trigger(trigger, 'tells-of-itself', { SHADE: 'from the call' });
    expect((await runs.finished(id)).status).toBe('success');
    const log = await runs.log(id, 'tell');
    const short = trigger.token.replace('glptt-', '').slice(0, 4);
    expect(log).toContain(`source=trigger triggered=true short=${short}\n`);
    expect(log).toContain(`project=${app.path} ref=tells-of-itself branch=tells-of-itself sha=${sha}\n`);
    expect(log).toContain(`job=tell stage=test user=root api=${installation.url}/api/v4\n`);
    expect(log).toContain(`payload={"ref":"tells-of-itself","variables":{"SHADE":"from the call"},"id":"${app.id}"}\n`);
    expect(log).toContain('shade=from the call\n');
    expect(log).toContain('secret=[MASKED] and spelt out [MASKED]\n');
    expect(log).not.toContain('s3cret-value-1');
    expect(log).not.toContain(trigger.token);
    for (const { name, output } of installation.programs)
      expect([name, output.includes('s3cret-value-1'), output.includes(trigger.token)]).toEqual([name, false, false]);
  }, 60_000);

  it('that fail keep later stages from starting, but for what is to run always', async () => {
    const { id } = await verbs.trigger(trigger, 'fails');
    expect((await runs.finished(id)).status).toBe('failed');
    expect(await runs.statuses(id)).toEqual({ first: 'failed', beside: 'success', second: 'skipped', last: 'success' });
    expect((await runs.jobs(id)).first).toMatchObject({ failure_reason: 'script_failure' });
    expect(await runs.log(id, 'first')).toContain('ERROR: Job failed: exit code 3');
  }, 60_000);

  it('are cancelled while they run', async () => {
    const { id } = await verbs.trigger(trigger, 'waits');
    await runs.logSays(id, 'wait', 'waiting\n');
    await verbs.root({ method: 'POST', path: `/projects/${app.id}/pipelines/${id}/cancel` });
    expect((await runs.finished(id)).status).toBe('canceled');
    await runs.jobIs(id, 'wait', 'canceled');
    expect(await runs.statuses(id)).toEqual({ wait: 'canceled', after: 'canceled' });
    expect(await runs.log(id, 'wait')).toContain('cleaned up');
  }, 60_000);

  it('are played by hand, with variables', async () => {
    const { id } = await verbs.trigger(trigger, 'manual');
    expect((await runs.finished(id)).status).toBe('success');
    expect(await runs.statuses(id)).toEqual({ build: 'success', deploy: 'manual' });
    const json = { job_variables_attributes: [{ key: 'TARGET', value: 'the moon' }] };
    expect(await runs.order(id, 'deploy', 'play', json)).toMatchObject({ status: 'pending' });
    await runs.jobIs(id, 'deploy', 'success');
    expect(await runs.log(id, 'deploy')).toContain('deployed to the moon');
  }, 60_000);

  it('are retried, and what was skipped goes on', async () => {
    const { id } = await verbs.trigger(trigger, 'flaky', { FLAG: `${installation.repositories}/flag` });
    expect((await runs.finished(id)).status).toBe('failed');
    const failed = (await runs.jobs(id)).flaky;
    await app.repository.git('init', '--quiet', '--bare', `${installation.repositories}/flag`);
    const retried = await runs.order(id, 'flaky', 'retry');
    expect(retried.id).not.toBe(failed.id);
    await runs.jobIs(id, 'afterwards', 'success');
    expect((await runs.finished(id)).status).toBe('success');
    const all = await verbs.root({ path: `/projects/${app.id}/pipelines/${id}/jobs?include_retried=true` });
    expect(all.map(({ id: job }: { id: number }) => job)).toContain(failed.id);
  }, 60_000);

  it('start pipelines of other projects with their own token', async () => {
    const { id } = await verbs.trigger(trigger, 'downstream');
    expect((await runs.finished(id)).status).toBe('success');
    const started = (await runs.all()).find(({ ref }) => ref === 'upstreamed');
    expect(started).toMatchObject({ source: 'pipeline' });
    expect((await runs.finished(started.id)).status).toBe('success');
    expect(Object.keys(await runs.jobs(started.id))).toEqual(['tell']);
    expect(await runs.log(started.id, 'tell')).toContain('source=pipeline triggered=[] short=[]');
  }, 60_000);

  it('go on when their runner was killed and another one comes', async () => {
    const runner = installation.programs.find(({ name }) => name.startsWith('runner'))!;
    const { id } = await verbs.trigger(trigger, 'waits');
    await runs.logSays(id, 'wait', 'waiting\n');
    await runner.kill();
    const other = await verbs.trigger(trigger, 'manual');
    await runner.start();
    await runs.jobIs(other.id, 'build', 'success');
    expect((await runs.jobs(id)).wait).toMatchObject({ status: 'running' });
    await verbs.root({ method: 'POST', path: `/projects/${app.id}/pipelines/${id}/cancel` });
  }, 60_000);
});
