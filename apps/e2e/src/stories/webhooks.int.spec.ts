// needs: rabbitmq, postgresql
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Answer } from '../api.js';
import { type Installation, startInstallation } from '../installation.js';
import { Runs } from '../runs.js';
import { describeWith } from '../testing/installed.js';
import { printLogsOfFailures } from '../testing/logs-of-failures.js';
import { type Project, type Trigger, Verbs } from '../verbs.js';
import { buildDocsOnTags } from './seed.js';

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
  let installation: Installation;
  let verbs: Verbs;
  /** Its job triggers `docsProject` whenever a tag is created. */
  let app: Project;
  let docsProject: Project;
  let trigger: Trigger;
  let docsToken: string;
  let appRuns: Runs;
  let docsRuns: Runs;
  printLogsOfFailures(() => installation?.programs ?? []);

  beforeAll(async () => {
    installation = await startInstallation({ name: 'webhooks' });
    verbs = await Verbs.of(installation);
    const owner = { token: installation.rootToken };
    docsProject = await verbs.newProject({ files: { '.gitlab-ci.yml': docs }, default_branch: 'master' });
    await docsProject.repository.git('branch', '--move', 'master');
    docsToken = (await verbs.newTrigger(docsProject, owner)).token;
    app = await verbs.newProject({
      files: { '.gitlab-ci.yml': buildDocsOnTags(installation.url, docsProject.id, '$DOCS_TOKEN') },
    });
    await app.repository.git('tag', 'v1.0.0');
    await verbs.root({
      method: 'POST',
      path: `/projects/${app.id}/variables`,
      json: { key: 'DOCS_TOKEN', value: docsToken, masked: true },
    });
    trigger = await verbs.newTrigger(app, owner);
    appRuns = new Runs(verbs, app.id);
    docsRuns = new Runs(verbs, docsProject.id);
    await installation.startRunner();
  }, 90_000);

  afterAll(() => installation?.stop());

  const send = ({ headers, body }: Webhook, path = 'trigger/pipeline'): Promise<Answer> =>
    verbs.api.call({
      method: 'POST',
      path: `/projects/${app.id}/${path}?token=${trigger.token}`,
      headers,
      raw: JSON.stringify(body),
    });

  it.each(['gitlab', 'github', 'gitea'])('%s: a pushed tag starts a pipeline, whose job starts another project’s', async (host) => {
    const before = await docsRuns.all();
    const call = webhook(`${host}-tag-push`);
    const { status, body } = await send(call);
    expect([status, body]).toMatchObject([201, { ref: 'v1.0.0', tag: true, source: 'trigger' }]);
    expect((await appRuns.finished(body.id)).status).toBe('success');
    const { run_tests, build_docs } = await appRuns.jobs(body.id);
    expect(Date.parse(build_docs.started_at)).toBeGreaterThanOrEqual(Date.parse(run_tests.finished_at));

    const [started, ...others] = await docsRuns.all();
    expect(others).toHaveLength(before.length);
    expect(started).toMatchObject({ ref: 'master', source: 'trigger' });
    expect((await docsRuns.finished(started.id)).status).toBe('success');
    expect(await docsRuns.log(started.id, 'build')).toContain('source=trigger branch=master');

    const variables = await verbs.root({ path: `/projects/${app.id}/pipelines/${body.id}/variables` });
    const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
    expect(JSON.parse(payload.value)).toEqual({ ...call.body, id: String(app.id), variables: {} });
  }, 90_000); // prettier-ignore

  it.each(['gitlab', 'github', 'gitea'])('%s: a push starts a pipeline on the branch of its body', async (host) => {
    const { status, body } = await send(webhook(`${host}-push`));
    expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
    expect(Object.keys(await appRuns.jobs(body.id))).toEqual(['run_tests']);
  });

  it.each(['gitlab', 'github', 'gitea'])('%s: the ref of the URL beats the body’s', async (host) => {
    const { status, body } = await send(webhook(`${host}-tag-push`), 'ref/main/trigger/pipeline');
    expect([status, body]).toMatchObject([201, { ref: 'main', tag: false }]);
  });

  it.each(['github', 'gitea'])('%s: an event sent as a form counts as one sent as JSON', async (host) => {
    const { headers, body } = webhook(`${host}-tag-push`);
    const answer = await verbs.api.call({
      method: 'POST',
      path: `/projects/${app.id}/trigger/pipeline?token=${trigger.token}`,
      headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
      raw: String(new URLSearchParams({ payload: JSON.stringify(body) })),
    });
    expect([answer.status, answer.body]).toMatchObject([201, { ref: 'v1.0.0', tag: true }]);
    const variables = await verbs.root({ path: `/projects/${app.id}/pipelines/${answer.body.id}/variables` });
    const payload = variables.find(({ key }: { key: string }) => key === 'TRIGGER_PAYLOAD');
    expect(JSON.parse(payload.value)).toEqual({ ...body, id: String(app.id), variables: {} });
    await verbs.root({ method: 'POST', path: `/projects/${app.id}/pipelines/${answer.body.id}/cancel` });
  });

  it('GitHub’s form encoding starts one with the ref in the URL', async () => {
    const { headers, body } = webhook('github-push');
    const answer = await verbs.api.call({
      method: 'POST',
      path: `/projects/${app.id}/ref/main/trigger/pipeline?token=${trigger.token}`,
      headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
      raw: String(new URLSearchParams({ payload: JSON.stringify(body) })),
    });
    expect([answer.status, answer.body]).toMatchObject([201, { ref: 'main' }]);
  });

  it.each([
    ['gitlab-branch-deletion', /was deleted/],
    ['gitlab-tag-deletion', /was deleted/],
    ['github-branch-deletion', /was deleted/],
    ['github-delete-event', /was deleted/],
    ['gitea-branch-deletion', /was deleted/],
    ['github-ping', /ping/],
  ])('%s starts nothing, and is told why', async (name, reason) => {
    const before = await appRuns.all();
    const { status, body } = await send(webhook(name));
    expect([status, body]).toEqual([400, { message: expect.stringMatching(reason) }]);
    expect(await appRuns.all()).toHaveLength(before.length);
  });

  it('never shows the secure variable in a log', async () => {
    const ofTags = (await appRuns.all()).filter(({ ref, status }) => ref === 'v1.0.0' && status === 'success');
    expect(ofTags).toHaveLength(3);
    for (const { id } of ofTags) {
      const log = await appRuns.log(id, 'build_docs');
      expect(log).toContain('$DOCS_TOKEN');
      expect(log).not.toContain(docsToken);
    }
    for (const { name, output } of installation.programs)
      expect([name, output.includes(docsToken)]).toEqual([name, false]);
  });
});
