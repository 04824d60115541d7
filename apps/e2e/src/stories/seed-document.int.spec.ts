// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Answer } from '../testing/api.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';
import {
  buildDocs,
  crontab,
  curl,
  curlWithQuery,
  curlWithVariable,
  filledIn,
  makefile,
  threeStages,
  webhook,
} from './seed.js';

interface HostCall {
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

/** A call as a git host's webhook makes it: its documented headers and body. */
function hostCall(name: string): HostCall {
  const text = readFileSync(new URL(`./webhooks/${name}.json`, import.meta.url), 'utf8');
  const { headers, body } = JSON.parse(text) as HostCall;
  // GitLab names each delivery, and repeats the name only when it repeats the delivery.
  return { headers: { ...headers, ...('Idempotency-Key' in headers && { 'Idempotency-Key': randomUUID() }) }, body };
}

const docs = `
build:
  script:
  - echo source=$CI_PIPELINE_SOURCE branch=$CI_COMMIT_BRANCH
`;

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
    const started = await paste(command!, { PATH: '/usr/bin:/bin', HOME: flagfall.installation.directory });
    expect(started).toMatchObject({ ref: 'master', source: 'trigger' });
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

  describe('webhooks of git hosts', () => {
    /** Whenever a tag is created in A, its job triggers B. */
    let projectA: Project;
    let projectB: Project;
    let triggerOfA: Trigger;
    let tokenOfB: string;

    beforeAll(async () => {
      projectB = await flagfall.newProject({ files: { '.gitlab-ci.yml': docs }, default_branch: 'master' });
      await projectB.repository.git('branch', '--move', 'master');
      tokenOfB = (await flagfall.newTrigger(projectB)).token;
      const job = filledIn(buildDocs, { url: flagfall.url, projectId: projectB.id, token: '$DOCS_TOKEN' });
      projectA = await flagfall.newProject({
        files: { '.gitlab-ci.yml': `run_tests:\n  script: [echo tested]\n${job}` },
      });
      await projectA.repository.git('tag', 'v1.0.0');
      await projectA.post('/variables', { key: 'DOCS_TOKEN', value: tokenOfB, masked: true });
      triggerOfA = await flagfall.newTrigger(projectA);
    });

    const send = ({ headers, body }: HostCall, path = 'trigger/pipeline'): Promise<Answer> =>
      flagfall.call({
        method: 'POST',
        path: `/projects/${projectA.id}/${path}?token=${triggerOfA.token}`,
        headers,
        raw: JSON.stringify(body),
      });

    it.each(['gitlab', 'github', 'gitea'])('%s: a pushed tag starts a pipeline, whose job starts another project’s', async (host) => {
      const before = await projectB.pipelines();
      const call = hostCall(`${host}-tag-push`);
      const { status, body } = await send(call);
      expect([status, body]).toMatchObject([201, { ref: 'v1.0.0', tag: true, source: 'trigger' }]);
      expect((await projectA.finished(body.id)).status).toBe('success');
      const { run_tests, build_docs } = await projectA.jobs(body.id);
      expect(Date.parse(build_docs.started_at)).toBeGreaterThanOrEqual(Date.parse(run_tests.finished_at));

      const [started, ...others] = await projectB.pipelines();
      expect(others).toHaveLength(before.length);
      expect(started).toMatchObject({ ref: 'master', source: 'trigger' });
      expect((await projectB.finished(started.id)).status).toBe('success');
      expect(await projectB.log(started.id, 'build')).toContain('source=trigger branch=master');

      const variables = await projectA.get(`/pipelines/${body.id}/variables`);
      const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
      expect(JSON.parse(payload.value)).toEqual({ ...call.body, id: String(projectA.id), variables: {} });

      // The token is in a masked variable, since the file is for everybody to read.
      const log = await projectA.log(body.id, 'build_docs');
      expect(log).toContain('$DOCS_TOKEN');
      for (const text of [log, ...flagfall.programs.map(({ output }) => output)]) expect(text).not.toContain(tokenOfB);
    }); // prettier-ignore

    it.each(['gitlab', 'github', 'gitea'])('%s: a push starts a pipeline on the branch of its body', async (host) => {
      const { status, body } = await send(hostCall(`${host}-push`));
      expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
      expect(Object.keys(await projectA.jobs(body.id))).toEqual(['run_tests']);
    });

    it.each(['gitlab', 'github', 'gitea'])('%s: the ref of the URL beats the body’s', async (host) => {
      const { status, body } = await send(hostCall(`${host}-tag-push`), 'ref/main/trigger/pipeline');
      expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
    });

    it.each(['github', 'gitea'])('%s: an event sent as a form counts as one sent as JSON', async (host) => {
      const { headers, body } = hostCall(`${host}-tag-push`);
      const answer = await flagfall.call({
        method: 'POST',
        path: `/projects/${projectA.id}/trigger/pipeline?token=${triggerOfA.token}`,
        headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
        raw: String(new URLSearchParams({ payload: JSON.stringify(body) })),
      });
      expect([answer.status, answer.body]).toMatchObject([201, { ref: 'v1.0.0', tag: true }]);
      const variables = await projectA.get(`/pipelines/${answer.body.id}/variables`);
      const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
      expect(JSON.parse(payload.value)).toEqual({ ...body, id: String(projectA.id), variables: {} });
      await projectA.post(`/pipelines/${answer.body.id}/cancel`);
    });

    it('GitHub’s form encoding starts one with the ref in the URL', async () => {
      const { headers, body } = hostCall('github-push');
      const answer = await flagfall.call({
        method: 'POST',
        path: `/projects/${projectA.id}/ref/main/trigger/pipeline?token=${triggerOfA.token}`,
        headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
        raw: String(new URLSearchParams({ payload: JSON.stringify(body) })),
      });
      expect([answer.status, answer.body]).toMatchObject([201, { ref: 'main' }]);
    });

    const deletions = [
      'gitlab-branch-deletion',
      'gitlab-tag-deletion',
      'github-branch-deletion',
      'github-delete-event',
      'gitea-branch-deletion',
    ];

    /** What was sent starts nothing, and the git host shows why. */
    async function expectNothing(call: HostCall, reason: RegExp, path?: string): Promise<void> {
      const before = await projectA.pipelines();
      const { status, body } = await send(call, path);
      expect([status, body]).toEqual([400, { message: expect.stringMatching(reason) }]);
      expect(await projectA.pipelines()).toHaveLength(before.length);
    }

    it.each(deletions)('%s starts nothing, and is told why', async (name) => {
      await expectNothing(hostCall(name), /was deleted/);
    });

    it.each(['github-delete-event', 'gitea-branch-deletion'])('%s of a tag starts nothing either', async (name) => {
      const { headers, body } = hostCall(name);
      await expectNothing({ headers, body: { ...body, ref: 'v0.9.0', ref_type: 'tag' } }, /was deleted/);
    });

    it.each(deletions)('%s starts one where the URL names the ref, as in GitLab', async (name) => {
      const { status, body } = await send(hostCall(name), 'ref/main/trigger/pipeline');
      expect([status, body]).toMatchObject([201, { ref: 'main' }]);
    });

    it.each(['trigger/pipeline', 'ref/main/trigger/pipeline'])('a ping of %s starts nothing, and is told why', (path) =>
      expectNothing(hostCall('github-ping'), /ping/, path),
    );
  });
});
