// needs: rabbitmq, postgresql
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'job_pages', gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }] });
let app: Project;
let runner: HandRunner;
let trigger: Trigger;
let developer: Person;
let reporter: Person;

type Body = Awaited<ReturnType<Project['get']>>;

const config = `
stages: [build, deploy]
compile: { stage: build, script: [make], tags: [slow, docker] }
live: { stage: deploy, script: [make deploy], when: manual }
child: { stage: deploy, trigger: { include: ci/child.yml } }
`;

/** A triggered pipeline, whose first job failed and runs again, and one that the developer made. */
beforeAll(async () => {
  runner = await flagfall.newRunner({ tag_list: ['slow', 'docker'] });
  app = await flagfall.newProject({
    visibility: 'public',
    files: { '.gitlab-ci.yml': config, 'ci/child.yml': 'inner: { script: [make] }' },
  });
  trigger = await flagfall.newTrigger(app);
  developer = await flagfall.newUser('developer');
  reporter = await flagfall.newUser('reporter');
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, reporter, 20);
  const { id } = await flagfall.trigger(trigger);
  await runner.end(await runner.start(), 'failed');
  await app.order(id, 'compile', 'retry');
  const { token } = developer;
  await flagfall.must({ method: 'POST', path: `/projects/${app.id}/pipeline`, token, json: { ref: 'main' } });
});

const call = (query = '', token: string | undefined = flagfall.rootToken) =>
  flagfall.call({ path: `//-/projects/${app.id}/jobs?${query}`, token });
const list = async (query?: string, token?: string): Promise<Body[]> => (await call(query, token)).body;
const told = (jobs: Body[]) => jobs.map(({ name, status }) => `${name} ${status}`);

it('tells of each job, the newest first, where it came from', async () => {
  const jobs = await list();
  // Another attempt is made last, whatever the order of the file.
  expect(told(jobs)).toEqual(['live created', 'compile pending', 'compile pending', 'live created', 'compile failed']);
  const [byHand, , , , failed] = jobs;
  expect(byHand.pipeline).toMatchObject({ source: 'api', trigger: null });
  expect(byHand.user).toEqual({ id: developer.id, username: 'developer', name: 'The developer' });
  expect(failed).toMatchObject({
    name: 'compile',
    retried: true,
    tags: ['docker', 'slow'],
    failure_reason: 'script_failure',
    runner: { id: runner.id, description: 'for a test' },
    web_url: expect.stringMatching(new RegExp(`/${app.path}/-/jobs/${failed.id}$`)),
    user: { username: 'root' },
  });
  expect(failed.pipeline).toEqual({
    id: expect.any(Number),
    ref: 'main',
    tag: false,
    sha: await app.repository.git('rev-parse', 'main'),
    source: 'trigger',
    trigger: { id: trigger.id, short_token: trigger.token.slice(6, 10), channel: 'api' },
    web_url: expect.stringMatching(new RegExp(`/${app.path}/-/pipelines/${failed.pipeline.id}$`)),
  });
});

it.each([
  ['trigger=1', ['compile pending', 'live created', 'compile failed']],
  ['trigger=0', ['live created', 'compile pending']],
  ['scope[]=failed', ['compile failed']],
  ['scope=failed', ['compile failed']],
  ['scope[]=failed&scope[]=created&trigger=1', ['live created', 'compile failed']],
  ['scope[]=running', []],
])('can be narrowed down: %s', async (query, expected) => {
  expect(told(await list(query))).toEqual(expected);
});

it('has pages, which nobody counts', async () => {
  const first = await call('per_page=2');
  expect(told(first.body)).toEqual(['live created', 'compile pending']);
  expect([first.headers.get('x-next-page'), first.headers.get('x-total')]).toEqual(['2', null]);
  const last = await call('per_page=2&page=3');
  expect(told(last.body)).toEqual(['compile failed']);
  expect(last.headers.get('x-next-page')).toBe('');
});

it('says what the one who looks can do', async () => {
  const cancelable = async (token: string) => (await list('scope=pending', token)).map((job) => job.cancelable);
  expect(await cancelable(developer.token)).toEqual([true, true]);
  expect(await cancelable(reporter.token)).toEqual([false, false]);
});

it('is for those who may see jobs', async () => {
  expect((await flagfall.call({ path: `//-/projects/${app.id}/jobs` })).status).toBe(401);
  await flagfall.root({ method: 'PUT', path: `/projects/${app.id}`, json: { visibility: 'private' } });
  const { token } = await flagfall.newUser('stranger');
  expect((await call('', token)).status).toBe(404);
  expect((await call('scope=odd')).status).toBe(400);
});
