// needs: rabbitmq, postgresql
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

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
  expands: `
job:
  variables:
    DIRECTORY: $CI_PROJECT_DIR/cache
    ADDRESS: see $CI_PIPELINE_URL
    SHIELDED: $$HOME
    NOTHING: "[$NOBODY_KNOWS]"
  script:
  - printf '%s\\n' "$DIRECTORY" "$ADDRESS" "$SHIELDED" "$NOTHING" "$FROM_CALLER" "$CI_COMMIT_TITLE"
  - test "$DIRECTORY" = "$PWD/cache" && echo same directory
  - echo "token $CI_JOB_TOKEN"
  - git log -1 --format=%D
`,
  optional: `
build: { stage: build, script: [echo built] }
package: { stage: deploy, script: ['echo uploaded by $CI_PIPELINE_SOURCE'], rules: [{ if: $UPLOAD_TO_S3 == "true" }] }
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
  after_script: ['echo "cleaned up as $CI_JOB_STATUS"']
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
  const flagfall = startsFlagfall({ name: 'running_jobs' });
  let app: Project;
  let trigger: Trigger;

  beforeAll(async () => {
    app = await flagfall.newProject({ files: { 'README.md': 'hello\n' } });
    for (const [branch, jobs] of Object.entries(branches)) {
      await app.repository.git('checkout', '--quiet', '-b', branch, 'main');
      await app.repository.commit({ '.gitlab-ci.yml': jobs }, branch === 'expands' ? 'Costs $5, or $HOME' : branch);
    }
    trigger = await flagfall.newTrigger(app);
    await flagfall.startRunner({ concurrency: 4 });
  });

  it('know where they come from, and hide what is secret', async () => {
    await app.post('/variables', { key: 'SECRET', value: 's3cret-value-1', masked: true });
    const { id, sha } = await flagfall.trigger(trigger, 'tells-of-itself', { SHADE: 'from the call' });
    expect((await app.finished(id)).status).toBe('success');
    const log = await app.log(id, 'tell');
    const short = trigger.token.replace('glptt-', '').slice(0, 4);
    expect(log).toContain(`source=trigger triggered=true short=${short}\n`);
    expect(log).toContain(`project=${app.path} ref=tells-of-itself branch=tells-of-itself sha=${sha}\n`);
    expect(log).toContain(`job=tell stage=test user=root api=${flagfall.url}/api/v4\n`);
    expect(log).toContain(`payload={"ref":"tells-of-itself","variables":{"SHADE":"from the call"},"id":"${app.id}"}\n`);
    expect(log).toContain('shade=from the call\n');
    expect(log).toContain('secret=[MASKED] and spelt out [MASKED]\n');
    expect(log).not.toContain('s3cret-value-1');
    expect(log).not.toContain(trigger.token);
    for (const { name, output } of flagfall.programs)
      expect([name, output.includes('s3cret-value-1'), output.includes(trigger.token)]).toEqual([name, false, false]);
  });

  it('get their variables as GitLab’s runner would expand them, and hide their token', async () => {
    const { id, web_url } = await app.trigger('expands', { FROM_CALLER: '$CI_COMMIT_BRANCH and 5$ each' });
    expect((await app.finished(id)).status).toBe('success');
    const log = await app.log(id, 'job');
    for (const line of [
      'same directory',
      `see ${web_url}`,
      '$HOME',
      '[]',
      'expands and 5$ each',
      'Costs $5, or $HOME',
      'token [MASKED]',
      'HEAD, origin/expands',
    ])
      expect(log.split('\n')).toContainEqual(expect.stringContaining(line));
    expect(log).not.toContain('glcbt-');
  });

  it('are there only where a rule about the caller’s variables lets them', async () => {
    const { id } = await app.trigger('optional');
    const asked = await app.trigger('optional', { UPLOAD_TO_S3: 'true' });
    expect((await app.finished(id)).status).toBe('success');
    expect((await app.finished(asked.id)).status).toBe('success');
    expect(Object.keys(await app.jobs(id))).toEqual(['build']);
    expect(await app.log(asked.id, 'package')).toContain('uploaded by trigger');
    expect((await app.jobs(asked.id)).build).toMatchObject({
      runner: { runner_type: 'instance_type', is_shared: true },
    });
  });

  it('that fail keep later stages from starting, but for what is to run always', async () => {
    const { id } = await app.trigger('fails');
    expect((await app.finished(id)).status).toBe('failed');
    expect(await app.statuses(id)).toEqual({ first: 'failed', beside: 'success', second: 'skipped', last: 'success' });
    expect((await app.jobs(id)).first).toMatchObject({ failure_reason: 'script_failure' });
    expect(await app.log(id, 'first')).toContain('ERROR: Job failed: exit code 3');
  });

  it('are cancelled while they run', async () => {
    const { id } = await app.trigger('waits');
    await app.logSays(id, 'wait', 'waiting\n');
    await app.post(`/pipelines/${id}/cancel`);
    expect((await app.finished(id)).status).toBe('canceled');
    await app.jobIs(id, 'wait', 'canceled');
    expect(await app.statuses(id)).toEqual({ wait: 'canceled', after: 'canceled' });
    expect(await app.log(id, 'wait')).toContain('cleaned up as canceled');
  });

  it('are played by hand, with variables', async () => {
    const { id } = await app.trigger('manual');
    expect((await app.finished(id)).status).toBe('success');
    expect(await app.statuses(id)).toEqual({ build: 'success', deploy: 'manual' });
    const json = { job_variables_attributes: [{ key: 'TARGET', value: 'the moon' }] };
    expect(await app.order(id, 'deploy', 'play', json)).toMatchObject({ status: 'pending' });
    await app.jobIs(id, 'deploy', 'success');
    expect(await app.log(id, 'deploy')).toContain('deployed to the moon');
  });

  it('are retried, and what was skipped goes on', async () => {
    const { id } = await app.trigger('flaky', { FLAG: `${flagfall.installation.repositories}/flag` });
    expect((await app.finished(id)).status).toBe('failed');
    const failed = (await app.jobs(id)).flaky;
    await app.repository.git('init', '--quiet', '--bare', `${flagfall.installation.repositories}/flag`);
    const retried = await app.order(id, 'flaky', 'retry');
    expect(retried.id).not.toBe(failed.id);
    await app.jobIs(id, 'afterwards', 'success');
    expect((await app.finished(id)).status).toBe('success');
    const all = await app.get(`/pipelines/${id}/jobs?include_retried=true`);
    expect(all.map(({ id: job }: { id: number }) => job)).toContain(failed.id);
  });

  it('start pipelines of other projects with their own token', async () => {
    const { id } = await app.trigger('downstream');
    expect((await app.finished(id)).status).toBe('success');
    const started = (await app.pipelines()).find(({ ref }) => ref === 'upstreamed');
    expect(started).toMatchObject({ source: 'pipeline' });
    expect((await app.finished(started.id)).status).toBe('success');
    expect(Object.keys(await app.jobs(started.id))).toEqual(['tell']);
    expect(await app.log(started.id, 'tell')).toContain('source=pipeline triggered=[] short=[]');
  });

  it('go on when their runner was killed and another one comes', async () => {
    const runner = flagfall.programs.find(({ name }) => name.startsWith('runner'))!;
    const { id } = await app.trigger('waits');
    await app.logSays(id, 'wait', 'waiting\n');
    await runner.kill();
    const other = await app.trigger('manual');
    await runner.start();
    await app.jobIs(other.id, 'build', 'success');
    expect((await app.jobs(id)).wait).toMatchObject({ status: 'running' });
    await app.post(`/pipelines/${id}/cancel`);
  });
});
