// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'trigger_requests' });
let app: Project;
let maintainer: Person;
let developer: Person;
let trigger: Trigger;
let other: Trigger;

type Body = Awaited<ReturnType<Project['get']>>;

/** A call that is refused, one by a webhook with another token, and one that makes a pipeline, in this order. */
beforeAll(async () => {
  app = await flagfall.newProject({
    visibility: 'public',
    files: { '.gitlab-ci.yml': 'compile: { script: [make] }' },
  });
  maintainer = await flagfall.newUser('maintainer');
  developer = await flagfall.newUser('developer');
  await flagfall.join(app, maintainer, 40);
  await flagfall.join(app, developer, 30);
  trigger = await flagfall.newTrigger(app, maintainer, { description: 'nightly' });
  other = await flagfall.newTrigger(app, maintainer, { description: 'from GitHub' });
  await app.post('/variables', { key: 'PASSWORD', value: 'of-the-project', masked: true });
  await call({ token: trigger.token, ref: 'gone' });
  await flagfall.call({
    method: 'POST',
    path: `/projects/${app.id}/ref/main/trigger/pipeline?token=${other.token}`,
    json: { ref: 'refs/heads/main', after: 'a'.repeat(40), pusher: { name: 'ada' }, note: 'uses hunter2-hunter2' },
    headers: { 'X-GitHub-Event': 'push', 'X-Hub-Signature-256': 'sha256=secret', 'Webhook-Id': 'msg_1' },
  });
  const variables = { COLOUR: 'red', PASSWORD: 'hunter2-hunter2', LEAKED: trigger.token };
  await call({ token: trigger.token, ref: 'main', variables, note: 'hunter2-hunter2 it is' });
});

function call(json: object) {
  return flagfall.call({
    method: 'POST',
    path: `/projects/${app.id}/trigger/pipeline`,
    json,
    headers: { 'User-Agent': 'a script', Authorization: 'Bearer ignored', 'X-Request-Id': 'abc' },
  });
}

const path = (rest = '') => `/projects/${app.id}/trigger/requests${rest}`;
const list = (query = '', { token } = maintainer): Promise<Body[]> => flagfall.must({ path: path(`?${query}`), token });
const refs = (requests: Body[]) => requests.map(({ ref, channel }) => `${ref} ${channel}`);

it('lists what came with a good token, refused or not, the newest first', async () => {
  await call({ token: 'glptt-wrong', ref: 'main' });
  const [latest, , first, ...others] = await list();
  expect(others).toEqual([]);
  const user = { id: maintainer.id, username: 'maintainer', name: 'The maintainer' };
  expect(latest).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    state: 'created',
    status: 201,
    message: null,
    pipeline_id: (await app.pipelines())[0].id,
    trigger: { id: trigger.id, short_token: trigger.token.slice(6, 10), description: 'nightly' },
    ref: 'main',
    channel: 'api',
    user,
    received_at: expect.any(String),
    settled_at: expect.any(String),
    publish_attempts: 0,
  });
  expect(first).toMatchObject({
    state: 'rejected',
    status: 400,
    message: 'Reference not found',
    pipeline_id: null,
    user,
  });
});

it.each([
  ['state=rejected', ['gone api']],
  ['state=created', ['main api', 'main webhook']],
  ['state=parked', []],
  ['trigger_id=<other>', ['main webhook']],
  ['trigger_id=<other>&state=rejected', []],
])('can be narrowed down: %s', async (query, expected) => {
  expect(refs(await list(query.replace('<other>', String(other.id))))).toEqual(expected);
});

it('goes from page to page by links', async () => {
  const { token } = maintainer;
  const first = await flagfall.call({ path: path('?per_page=2'), token });
  expect(refs(first.body)).toEqual(['main api', 'main webhook']);
  const [, next = ''] = /<[^>]*\/api\/v4([^>]*)>; rel="next"/.exec(first.headers.get('link') ?? '') ?? [];
  const last = await flagfall.call({ path: next, token });
  expect(refs(last.body)).toEqual(['gone api']);
  expect(last.headers.get('link')).toBeNull();
  expect((await flagfall.call({ path: path('?cursor=x'), token })).body).toEqual({ error: 'cursor is invalid' });
  expect((await flagfall.call({ path: path('?state=x'), token })).status).toBe(400);
});

it('shows one with what was sent, and no secrets', async () => {
  const [{ id }] = await list();
  const { headers, variables, payload, payload_complete, ...line } = await flagfall.must({
    path: path(`/${id}`),
    token: maintainer.token,
  });
  expect([line]).toEqual((await list()).slice(0, 1));
  expect(headers).toEqual({ 'content-type': 'application/json', 'user-agent': 'a script', 'x-request-id': 'abc' });
  expect(variables).toEqual([
    { key: 'COLOUR', value: 'red' },
    { key: 'PASSWORD', value: '[MASKED]' },
    { key: 'LEAKED', value: 'glptt-[MASKED]' },
  ]);
  expect(payload_complete).toBe(true);
  expect(JSON.parse(payload)).toEqual({
    ref: 'main',
    variables: { COLOUR: 'red', PASSWORD: '[MASKED]', LEAKED: 'glptt-[MASKED]' },
    note: '[MASKED] it is',
    id: String(app.id),
  });
});

it('shows which delivery of a webhook it was', async () => {
  const [, { id }] = await list();
  const { headers, payload } = await flagfall.must({ path: path(`/${id}`), token: maintainer.token });
  expect(headers).toEqual({
    'content-type': 'application/json',
    'user-agent': 'node',
    'x-github-event': 'push',
    'webhook-id': '[REDACTED]',
  });
  expect(JSON.parse(payload)).toMatchObject({ pusher: { name: 'ada' } });
});

it('is for Maintainers of the project alone', async () => {
  const [{ id }] = await list();
  for (const rest of ['', `/${id}`]) {
    expect((await flagfall.call({ path: path(rest) })).status).toBe(401);
    expect((await flagfall.call({ path: path(rest), token: developer.token })).status).toBe(403);
  }
  const elsewhere = await flagfall.newProject({});
  await flagfall.join(elsewhere, maintainer, 40);
  const { token } = maintainer;
  expect((await flagfall.call({ path: `/projects/${elsewhere.id}/trigger/requests/${id}`, token })).status).toBe(404);
  expect((await flagfall.call({ path: path('/1'), token })).body).toEqual({ error: 'request_id is invalid' });
});

it('still names the visible part of a token that was revoked', async () => {
  await flagfall.must({ method: 'DELETE', path: `/projects/${app.id}/triggers/${other.id}`, token: maintainer.token });
  const [{ trigger: revoked }] = await list(`trigger_id=${other.id}`);
  expect(revoked).toEqual({ id: other.id, short_token: other.token.slice(6, 10), description: null });
});

it('tells what is under way while the services do not answer', async () => {
  const { tokenService, pipelineServices } = flagfall.installation;
  await Promise.all([tokenService, ...pipelineServices].map((service) => service.kill()));
  const { status } = await flagfall.call({
    method: 'POST',
    path: `/projects/${app.id}/trigger/pipeline`,
    json: { token: trigger.token, ref: 'main' },
    headers: { Prefer: 'respond-async' },
  });
  expect(status).toBe(202);
  const [request] = await list();
  expect(request).toMatchObject({
    state: 'accepted',
    status: null,
    settled_at: null,
    trigger: { id: trigger.id, short_token: trigger.token.slice(6, 10), description: null },
    user: { username: 'maintainer' },
  });
  await Promise.all([tokenService, ...pipelineServices].map((service) => service.start()));
  await until('the request to be settled', async () => (await list())[0].state === 'created', 60_000);
});
