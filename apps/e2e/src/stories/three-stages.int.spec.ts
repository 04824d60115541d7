// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Installation, startInstallation } from '../installation.js';
import { Runs } from '../runs.js';
import { eventually } from '../testing/eventually.js';
import { describeWith } from '../testing/installed.js';
import { printLogsOfFailures } from '../testing/logs-of-failures.js';
import { type Project, type Trigger, Verbs } from '../verbs.js';
import { cronLine, makefile, threeStages } from './seed.js';

const run = promisify(execFile);
/** What a program prints; longer than this nobody waits for curl. */
const shell = async (line: string): Promise<string> => (await run('/bin/sh', ['-c', line], { timeout: 30_000 })).stdout;

describeWith([['curl'], ['make']])('three stages', () => {
  let installation: Installation;
  let verbs: Verbs;
  let app: Project;
  let trigger: Trigger;
  let runs: Runs;
  printLogsOfFailures(() => installation?.programs ?? []);

  beforeAll(async () => {
    installation = await startInstallation({ name: 'three_stages' });
    verbs = await Verbs.of(installation);
    app = await verbs.newProject({
      files: { '.gitlab-ci.yml': threeStages, Makefile: makefile },
      default_branch: 'master',
    });
    await app.repository.git('branch', '--move', 'master');
    trigger = await verbs.newTrigger(app, { token: installation.rootToken });
    runs = new Runs(verbs, app.id);
    await installation.startRunner();
  }, 90_000);

  afterAll(() => installation?.stop());

  it('run one after the other, and nothing is uploaded unless somebody asks', async () => {
    const { id } = await verbs.trigger(trigger, 'master');
    expect((await runs.finished(id)).status).toBe('success');
    const { run_tests, build_package, upload_package } = await runs.jobs(id);
    expect(Date.parse(build_package.started_at)).toBeGreaterThanOrEqual(Date.parse(run_tests.finished_at));
    expect(Date.parse(upload_package.started_at)).toBeGreaterThanOrEqual(Date.parse(build_package.finished_at));
    expect(await runs.log(id, 'run_tests')).toContain('the tests have passed');
    expect(await runs.log(id, 'build_package')).toContain('the package is built');
    const log = await runs.log(id, 'upload_package');
    expect(log).toContain('Job succeeded');
    expect(log).not.toContain('the package is uploaded');
  }, 60_000);

  it('upload when UPLOAD_TO_S3 comes with the curl line', async () => {
    const answer = await shell(
      `curl --request POST --form token=${trigger.token} --form ref=master --form "variables[UPLOAD_TO_S3]=true" ${installation.url}/api/v4/projects/${app.id}/trigger/pipeline`,
    );
    const { id } = JSON.parse(answer);
    expect((await runs.finished(id)).status).toBe('success');
    expect(await runs.log(id, 'upload_package')).toContain('the package is uploaded');
    const variables = await verbs.root({ path: `/projects/${app.id}/pipelines/${id}/variables` });
    expect(variables).toContainEqual(expect.objectContaining({ key: 'UPLOAD_TO_S3', value: 'true' }));
  }, 60_000);

  it('upload when a webhook’s URL says so, on the ref of the URL', async () => {
    const answer = await verbs.api.call({
      method: 'POST',
      path: `/projects/${app.id}/ref/master/trigger/pipeline?token=${trigger.token}&variables[UPLOAD_TO_S3]=true`,
      headers: { 'X-Gitlab-Event': 'Push Hook' },
      json: { object_kind: 'push', ref: 'refs/heads/somewhere-else' },
    });
    expect([answer.status, answer.body.ref]).toEqual([201, 'master']);
    expect((await runs.finished(answer.body.id)).status).toBe('success');
    expect(await runs.log(answer.body.id, 'upload_package')).toContain('the package is uploaded');
  }, 60_000);

  it('start by the line of a crontab', async () => {
    const { id, ref, source } = JSON.parse(await shell(cronLine(installation.url, app.id, trigger.token)));
    expect([ref, source]).toEqual(['master', 'trigger']);
    expect((await runs.finished(id)).status).toBe('success');
  }, 60_000);

  it('start by token and ref in the query', async () => {
    const url = `${installation.url}/api/v4/projects/${app.id}/trigger/pipeline?token=${trigger.token}&ref=master`;
    expect(JSON.parse(await shell(`curl --request POST "${url}"`))).toMatchObject({ ref: 'master', source: 'trigger' });
  });

  it('do not start by a commit’s id, nor by a token that was revoked', async () => {
    const before = (await runs.all()).length;
    const revoked = await verbs.newTrigger(app, { token: installation.rootToken });
    await verbs.root({ method: 'DELETE', path: `/projects/${app.id}/triggers/${revoked.id}` });
    expect(JSON.parse(await shell(cronLine(installation.url, app.id, revoked.token)))).toEqual({
      message: '404 Not Found',
    });
    const sha = await app.repository.git('rev-parse', 'master');
    const form = [['token', trigger.token], ['ref', sha]] as const; // prettier-ignore
    expect(await verbs.api.call({ method: 'POST', path: `/projects/${app.id}/trigger/pipeline`, form })).toMatchObject({
      status: 400,
      body: { message: { base: ['Reference not found'] } },
    });
    expect(await runs.all()).toHaveLength(before);
  });

  it('tell the token that started them when it was last used', async () => {
    const own = await verbs.newTrigger(app, { token: installation.rootToken });
    const path = `/projects/${app.id}/triggers/${own.id}`;
    expect((await verbs.root({ path })).last_used).toBeNull();
    const { id, created_at } = await verbs.trigger(own, 'master');
    const used = await eventually('the use to be noted', async () => (await verbs.root({ path })).last_used);
    expect(used).toBe(created_at);
    await runs.finished(id);
  }, 60_000);
});
