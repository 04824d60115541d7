// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';
import { crontab, curl, curlWithQuery, curlWithVariable, filledIn, makefile, threeStages, webhook } from './seed.js';

const run = promisify(execFile);
const shellLimitMs = 60_000;

/** Everything that GitLab's page on triggers tells its readers to do, done. */
describeWith([['curl'], ['make']])('the page on triggers', () => {
  const flagfall = startsFlagfall({ name: 'seed' });
  let app: Project;
  let trigger: Trigger;

  beforeAll(async () => {
    app = await flagfall.newProject({
      files: { '.gitlab-ci.yml': threeStages, Makefile: makefile },
      default_branch: 'master',
    });
    await app.repository.git('branch', '--move', 'master');
    trigger = await flagfall.newTrigger(app);
    await flagfall.startRunner();
  });

  const filled = (example: string, { token } = trigger): string =>
    filledIn(example, { url: flagfall.url, projectId: app.id, token });

  /** What a line prints that somebody pastes into a shell. */
  async function paste(line: string, env: NodeJS.ProcessEnv = process.env): Promise<any> {
    const { stdout } = await run('/bin/sh', ['-c', line], { timeout: shellLimitMs, env });
    return JSON.parse(stdout);
  }

  describe('three stages', () => {
    it('run one after the other, and nothing is uploaded unless somebody asks', async () => {
      const { id } = await paste(filled(curl));
      expect((await app.finished(id)).status).toBe('success');
      const { run_tests, build_package, upload_package } = await app.jobs(id);
      expect(Date.parse(build_package.started_at)).toBeGreaterThanOrEqual(Date.parse(run_tests.finished_at));
      expect(Date.parse(upload_package.started_at)).toBeGreaterThanOrEqual(Date.parse(build_package.finished_at));
      expect(await app.log(id, 'run_tests')).toContain('the tests have passed');
      expect(await app.log(id, 'build_package')).toContain('the package is built');
      const log = await app.log(id, 'upload_package');
      expect(log).toContain('Job succeeded');
      expect(log).not.toContain('the package is uploaded');
    });

    it('upload when UPLOAD_TO_S3 comes with the curl line', async () => {
      const { id } = await paste(filled(curlWithVariable));
      expect((await app.finished(id)).status).toBe('success');
      expect(await app.log(id, 'upload_package')).toContain('the package is uploaded');
      expect(await app.get(`/pipelines/${id}/variables`)).toContainEqual(
        expect.objectContaining({ key: 'UPLOAD_TO_S3', value: 'true' }),
      );
    });

    it('upload when a webhook’s URL says so, on the ref of the URL', async () => {
      const answer = await flagfall.call({
        method: 'POST',
        path: filled(webhook).replace(`${flagfall.url}/api/v4`, ''),
        headers: { 'X-Gitlab-Event': 'Push Hook' },
        json: { object_kind: 'push', ref: 'refs/heads/somewhere-else' },
      });
      expect([answer.status, answer.body.ref]).toEqual([201, 'master']);
      expect((await app.finished(answer.body.id)).status).toBe('success');
      expect(await app.log(answer.body.id, 'upload_package')).toContain('the package is uploaded');
    });
  });

  it('a line of a crontab, as cron runs it', async () => {
    const [, command] = /^30 0 \* \* \* (.+)$/.exec(filled(crontab))!;
    const { id, ref, source } = await paste(command!, { PATH: '/usr/bin:/bin', HOME: flagfall.installation.directory });
    expect([ref, source]).toEqual(['master', 'trigger']);
    expect((await app.finished(id)).status).toBe('success');
  });

  it('token and ref in the query', async () => {
    expect(await paste(filled(curlWithQuery))).toMatchObject({ ref: 'master', source: 'trigger' });
  });

  it('every trigger has its own token, and tells when it was last used', async () => {
    const own = await flagfall.newTrigger(app);
    expect(own.token).not.toBe(trigger.token);
    const lastUsed = async () => (await app.get(`/triggers/${own.id}`)).last_used;
    expect(await lastUsed()).toBeNull();
    const { created_at } = await paste(filled(curlWithQuery, own));
    expect(await until('the use to be noted', lastUsed)).toBe(created_at);
  });

  it('a revoked trigger starts nothing, nor does a commit’s id', async () => {
    const before = await app.pipelines();
    const revoked = await flagfall.newTrigger(app);
    await flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/triggers/${revoked.id}` });
    for (const line of [curl, curlWithQuery, curlWithVariable])
      expect(await paste(filled(line, revoked))).toEqual({ message: '404 Not Found' });
    const sha = await app.repository.git('rev-parse', 'master');
    expect(await paste(filled(curl).replace('ref=master', `ref=${sha}`))).toEqual({
      message: { base: ['Reference not found'] },
    });
    expect(await app.pipelines()).toHaveLength(before.length);
  });
});
