// needs: rabbitmq, postgresql
import { type Answer, type Call, must, send } from '../testing/api.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'sessions', gateways: 2 });
let ada: Person;
let project: Project;

beforeAll(async () => {
  ada = await flagfall.newUser('ada');
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: { script: "true" }' } });
  await flagfall.join(project, ada, 40);
});

const replica = (index: number) => flagfall.installation.urls[index] ?? '';
const fromHere = { 'Sec-Fetch-Site': 'same-origin' };

/** @returns how a browser calls from then on */
async function signIn(token: string): Promise<(index: number, call: Call) => Promise<Answer>> {
  const answer = await flagfall.call({
    method: 'POST',
    path: '//-/session',
    headers: fromHere,
    json: { access_token: token },
  });
  expect(answer.status).toBe(201);
  const Cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  return (index, call) => send(replica(index), { ...call, headers: { ...fromHere, Cookie, ...call.headers } });
}

test('somebody signs in, sets up a trigger, and signs out', async () => {
  const browser = await signIn(ada.token);
  expect((await browser(1, { path: '//-/session' })).body.user).toEqual({
    id: ada.id,
    username: 'ada',
    name: 'The ada',
    admin: false,
  });
  const json = { description: 'from the page' };
  const path = `/projects/${project.id}/triggers`;
  const made = await browser(1, { method: 'POST', path, json });
  expect(made).toMatchObject({
    status: 201,
    body: { description: 'from the page', token: expect.stringMatching(/^glptt-/) },
  });
  expect(await browser(0, { method: 'POST', path, json, headers: { 'Sec-Fetch-Site': 'cross-site' } })).toMatchObject({
    status: 403,
  });
  // The trigger endpoint goes by its own token alone.
  expect(
    (await browser(0, { method: 'POST', path: `/projects/${project.id}/trigger/pipeline`, json: { ref: 'main' } }))
      .status,
  ).toBe(400);
  expect((await browser(0, { path: '//-/sessions' })).body).toMatchObject([{ current: true, user_agent: 'node' }]);
  expect((await browser(0, { method: 'DELETE', path: '//-/session' })).status).toBe(204);
  for (const index of [0, 1]) expect((await browser(index, { path: '//-/session' })).status).toBe(401);
});

test('revoking the access token ends its sessions on every replica, from the answer on', async () => {
  for (const revokedBy of [0, 1]) {
    const token = await flagfall.newAccessToken(ada.id);
    const browser = await signIn(token);
    const other = 1 - revokedBy;
    expect((await browser(other, { path: '/user' })).status).toBe(200);
    await must(replica(revokedBy), { method: 'DELETE', path: '/personal_access_tokens/self', token });
    expect(await browser(other, { path: '/user' })).toMatchObject({
      status: 401,
      body: { message: '401 Unauthorized' },
    });
    expect((await browser(revokedBy, { path: '//-/session' })).status).toBe(401);
  }
});

test('nor does a blocked user get anywhere', async () => {
  const grace = await flagfall.newUser('grace');
  const browser = await signIn(grace.token);
  await must(replica(0), { method: 'POST', path: `/users/${grace.id}/block`, token: flagfall.rootToken });
  expect((await browser(1, { path: '/user' })).status).toBe(401);
});

test('people make access tokens for themselves', async () => {
  const browser = await signIn(ada.token);
  const path = '/user/personal_access_tokens';
  const json = {
    name: 'laptop',
    scopes: ['read_api'],
    expires_at: new Date(Date.now() + 5 * 86_400_000).toISOString(),
  };
  const { status, body } = await browser(0, { method: 'POST', path, json });
  expect([status, body]).toMatchObject([
    201,
    { user_id: ada.id, name: 'laptop', scopes: ['read_api'], expires_at: json.expires_at.slice(0, 10), active: true },
  ]);
  expect((await flagfall.must({ path: '/user', token: body.token })).username).toBe('ada');
  expect((await flagfall.call({ method: 'POST', path, token: body.token, json })).status).toBe(403);
  expect((await flagfall.call({ method: 'POST', path, json })).status).toBe(401);
  expect(await browser(0, { method: 'POST', path, json: {} })).toMatchObject({
    status: 400,
    body: { error: 'name is missing, scopes is missing' },
  });
});
