// needs: rabbitmq, postgresql
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Answer } from '../testing/api.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';
import { buildDocs, filledIn } from './seed.js';

interface Webhook {
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

/** A call as a git host makes it: its documented headers and body. */
function webhook(name: string): Webhook {
  const text = readFileSync(new URL(`../webhooks/${name}.json`, import.meta.url), 'utf8');
  const { headers, body } = JSON.parse(text) as Webhook;
  // GitLab names each delivery, and repeats the name only when it repeats the delivery.
  return { headers: { ...headers, ...('Idempotency-Key' in headers && { 'Idempotency-Key': randomUUID() }) }, body };
}

const docs = `
build:
  script:
  - echo source=$CI_PIPELINE_SOURCE branch=$CI_COMMIT_BRANCH
`;

describeWith([['curl']])('webhooks of git hosts', () => {
  const flagfall = startsFlagfall({ name: 'webhooks' });
  /** Its job triggers `docsProject` whenever a tag is created. */
  let app: Project;
  let docsProject: Project;
  let trigger: Trigger;
  let docsToken: string;

  beforeAll(async () => {
    docsProject = await flagfall.newProject({ files: { '.gitlab-ci.yml': docs }, default_branch: 'master' });
    await docsProject.repository.git('branch', '--move', 'master');
    docsToken = (await flagfall.newTrigger(docsProject)).token;
    const job = filledIn(buildDocs, { url: flagfall.url, projectId: docsProject.id, token: '$DOCS_TOKEN' });
    app = await flagfall.newProject({
      files: { '.gitlab-ci.yml': `run_tests:\n  script: [echo tested]\n${job}` },
    });
    await app.repository.git('tag', 'v1.0.0');
    await app.post('/variables', { key: 'DOCS_TOKEN', value: docsToken, masked: true });
    trigger = await flagfall.newTrigger(app);
    await flagfall.startRunner();
  });

  const send = ({ headers, body }: Webhook, path = 'trigger/pipeline'): Promise<Answer> =>
    flagfall.call({
      method: 'POST',
      path: `/projects/${app.id}/${path}?token=${trigger.token}`,
      headers,
      raw: JSON.stringify(body),
    });

  it.each(['gitlab', 'github', 'gitea'])('%s: a pushed tag starts a pipeline, whose job starts another project’s', async (host) => {
    const before = await docsProject.pipelines();
    const call = webhook(`${host}-tag-push`);
    const { status, body } = await send(call);
    expect([status, body]).toMatchObject([201, { ref: 'v1.0.0', tag: true, source: 'trigger' }]);
    expect((await app.finished(body.id)).status).toBe('success');
    const { run_tests, build_docs } = await app.jobs(body.id);
    expect(Date.parse(build_docs.started_at)).toBeGreaterThanOrEqual(Date.parse(run_tests.finished_at));

    const [started, ...others] = await docsProject.pipelines();
    expect(others).toHaveLength(before.length);
    expect(started).toMatchObject({ ref: 'master', source: 'trigger' });
    expect((await docsProject.finished(started.id)).status).toBe('success');
    expect(await docsProject.log(started.id, 'build')).toContain('source=trigger branch=master');

    const variables = await app.get(`/pipelines/${body.id}/variables`);
    const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
    expect(JSON.parse(payload.value)).toEqual({ ...call.body, id: String(app.id), variables: {} });

    // The token is in a masked variable, since the file is for everybody to read.
    const log = await app.log(body.id, 'build_docs');
    expect(log).toContain('$DOCS_TOKEN');
    for (const text of [log, ...flagfall.programs.map(({ output }) => output)]) expect(text).not.toContain(docsToken);
  }); // prettier-ignore

  it.each(['gitlab', 'github', 'gitea'])('%s: a push starts a pipeline on the branch of its body', async (host) => {
    const { status, body } = await send(webhook(`${host}-push`));
    expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
    expect(Object.keys(await app.jobs(body.id))).toEqual(['run_tests']);
  });

  it.each(['gitlab', 'github', 'gitea'])('%s: the ref of the URL beats the body’s', async (host) => {
    const { status, body } = await send(webhook(`${host}-tag-push`), 'ref/main/trigger/pipeline');
    expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
  });

  it.each(['github', 'gitea'])('%s: an event sent as a form counts as one sent as JSON', async (host) => {
    const { headers, body } = webhook(`${host}-tag-push`);
    const answer = await flagfall.call({
      method: 'POST',
      path: `/projects/${app.id}/trigger/pipeline?token=${trigger.token}`,
      headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
      raw: String(new URLSearchParams({ payload: JSON.stringify(body) })),
    });
    expect([answer.status, answer.body]).toMatchObject([201, { ref: 'v1.0.0', tag: true }]);
    const variables = await app.get(`/pipelines/${answer.body.id}/variables`);
    const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
    expect(JSON.parse(payload.value)).toEqual({ ...body, id: String(app.id), variables: {} });
    await app.post(`/pipelines/${answer.body.id}/cancel`);
  });

  it('GitHub’s form encoding starts one with the ref in the URL', async () => {
    const { headers, body } = webhook('github-push');
    const answer = await flagfall.call({
      method: 'POST',
      path: `/projects/${app.id}/ref/main/trigger/pipeline?token=${trigger.token}`,
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
  async function expectNothing(call: Webhook, reason: RegExp, path?: string): Promise<void> {
    const before = await app.pipelines();
    const { status, body } = await send(call, path);
    expect([status, body]).toEqual([400, { message: expect.stringMatching(reason) }]);
    expect(await app.pipelines()).toHaveLength(before.length);
  }

  it.each(deletions)('%s starts nothing, and is told why', async (name) => {
    await expectNothing(webhook(name), /was deleted/);
  });

  it.each(['github-delete-event', 'gitea-branch-deletion'])('%s of a tag starts nothing either', async (name) => {
    const { headers, body } = webhook(name);
    await expectNothing({ headers, body: { ...body, ref: 'v0.9.0', ref_type: 'tag' } }, /was deleted/);
  });

  it.each(deletions)('%s starts one where the URL names the ref, as in GitLab', async (name) => {
    const { status, body } = await send(webhook(name), 'ref/main/trigger/pipeline');
    expect([status, body]).toMatchObject([201, { ref: 'main' }]);
  });

  it.each(['trigger/pipeline', 'ref/main/trigger/pipeline'])('a ping of %s starts nothing, and is told why', (path) =>
    expectNothing(webhook('github-ping'), /ping/, path),
  );
});
