// needs: rabbitmq, postgresql
import type { Answer, Call } from '../testing/api.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const day = 86_400_000;
const inDays = (days: number) => new Date(Math.floor(Date.now() / day) * day + days * day).toISOString().slice(0, 10);

const flagfall = startsFlagfall({ name: 'accounts' });
let ada: Person;
let grace: Person;

beforeAll(async () => {
  ada = await flagfall.newUser('ada');
  grace = await flagfall.newUser('grace');
});

const answer = (status: number, body: unknown) => ({ status, body });
const unauthorized = answer(401, { message: '401 Unauthorized' });
const forbidden = answer(403, { message: '403 Forbidden' });
const notFound = answer(404, { message: '404 Not found' });
const noUser = answer(404, { message: '404 User Not Found' });

const asRoot = (method: string, path: string, json?: unknown): Promise<Answer> =>
  flagfall.call({ method, path, token: flagfall.rootToken, json });
const as = (person: Person, method: string, path: string, json?: unknown): Promise<Answer> =>
  flagfall.call({ method, path, token: person.token, json });
/** Without credentials, unless there are some in the call. */
const call = (method: string, path: string, more: Partial<Call> = {}): Promise<Answer> =>
  flagfall.call({ method, path, ...more });

describe('GET /user', () => {
  const short = { state: 'active', locked: false, avatar_url: null };

  test('tells the user about themselves', async () => {
    const { status, body } = await as(ada, 'GET', '/user');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: ada.id,
      username: 'ada',
      name: 'The ada',
      ...short,
      web_url: `${flagfall.url}/ada`,
      created_at: time,
      bot: false,
      email: 'ada@example.com',
      commit_email: 'ada@example.com',
      identities: [],
      can_create_project: true,
      two_factor_enabled: false,
      external: false,
      private_profile: false,
    });
    expect(Object.keys(body).slice(0, 8)).toEqual([
      'id',
      'username',
      'name',
      'state',
      'locked',
      'avatar_url',
      'web_url',
      'created_at',
    ]);
    expect(body).not.toHaveProperty('is_admin');
  });

  test('tells administrators that they are', async () => {
    expect(await asRoot('GET', '/user')).toMatchObject(answer(200, { username: 'root', ...short, is_admin: true }));
  });

  test('needs credentials', async () => {
    expect(await call('GET', '/user')).toMatchObject(unauthorized);
    expect(await call('GET', '/user', { token: 'glpat-unknown' })).toMatchObject(unauthorized);
  });
});

describe('users', () => {
  const fields = (username: string) => ({ username, name: 'N', email: `${username}@example.com` });

  test.each([
    ['nothing', {}, 400, { error: 'email is missing, name is missing, username is missing' }],
    ['a bad name', { ...fields('x'), username: 'a/b' }, 400, { message: { username: [expect.any(String)] } }],
    ['a bad address', { ...fields('x'), email: 'nowhere' }, 400, { message: { email: ['is invalid'] } }],
    ['a taken address', { ...fields('x'), email: 'ADA@example.com' }, 409, { message: 'Email has already been taken' }],
    ['a taken name', { ...fields('x'), username: 'Ada' }, 409, { message: 'Username has already been taken' }],
  ])('are not created with %s', async (_, json, status, body) => {
    expect(await asRoot('POST', '/users', json)).toMatchObject(answer(status, body));
  });

  test.each([
    ['GET', '/users', 200],
    ['POST', '/users', 403],
    ['POST', '/users/1/block', 403],
    ['POST', '/users/1/unblock', 403],
    ['DELETE', '/users/1', 403],
    ['POST', '/users/1/personal_access_tokens', 403],
  ])('%s %s as an ordinary user, and as nobody', async (method, path, status) => {
    expect((await as(ada, method, path, method === 'GET' ? undefined : {})).status).toBe(status);
    expect(await call(method, path)).toMatchObject(unauthorized);
  });

  test('are listed and found', async () => {
    const names = async (query: string) => {
      const { body, headers } = await as(ada, 'GET', `/users?${query}`);
      expect(headers.get('x-total')).toBe(String(body.length));
      return body.map((user: { username: string }) => user.username);
    };
    expect(await names('username=ADA')).toEqual(['ada']);
    expect(await names('username=ad')).toEqual([]);
    expect(await names('search=rac')).toEqual(['grace']);
    expect(await names('search=grace%40example.com')).toEqual(['grace']);
    expect(await names('search=%25')).toEqual([]);
    expect((await as(ada, 'GET', '/users?username=ada')).body).toEqual([
      {
        id: ada.id,
        username: 'ada',
        name: 'The ada',
        state: 'active',
        locked: false,
        avatar_url: null,
        web_url: `${flagfall.url}/ada`,
      },
    ]);
    expect((await asRoot('GET', '/users?admins=true')).body).toMatchObject([{ username: 'root', is_admin: true }]);
  });

  test('are shown; the address to administrators alone', async () => {
    const seen = await as(ada, 'GET', `/users/${grace.id}`);
    expect(seen).toMatchObject(answer(200, { username: 'grace', bot: false, created_at: time }));
    expect(seen.body).not.toHaveProperty('email');
    expect(await asRoot('GET', `/users/${grace.id}`)).toMatchObject(
      answer(200, { email: 'grace@example.com', is_admin: false }),
    );
    expect(await as(ada, 'GET', '/users/999999')).toMatchObject(noUser);
    expect(await as(ada, 'GET', '/users/abc')).toMatchObject(answer(400, { error: 'id is invalid' }));
  });

  test('are blocked and unblocked', async () => {
    const person = await flagfall.newUser('blockable');
    for (const again of [1, 2]) {
      expect([again, await asRoot('POST', `/users/${person.id}/block`)]).toMatchObject([again, answer(201, true)]);
    }
    expect(await as(person, 'GET', '/user')).toMatchObject(
      answer(403, { message: '403 Forbidden - Your account has been blocked.' }),
    );
    expect((await asRoot('GET', '/users?blocked=true')).body).toMatchObject([{ id: person.id, state: 'blocked' }]);
    expect(await asRoot('POST', `/users/${person.id}/unblock`)).toMatchObject(answer(201, true));
    expect(await as(person, 'GET', '/user')).toMatchObject({ status: 200 });
    expect(await asRoot('POST', '/users/999999/block')).toMatchObject(noUser);
    const { id } = (await asRoot('GET', '/user')).body;
    expect(await asRoot('POST', `/users/${id}/block`)).toMatchObject(
      answer(403, { message: '403 Forbidden - The API initiating user cannot be blocked by the API' }),
    );
  });

  test('are deleted with their tokens and triggers', async () => {
    const person = await flagfall.newUser('leaver');
    const project = await flagfall.newProject({ path: 'left' });
    await flagfall.join(project, person, 40);
    await as(person, 'POST', `/projects/${project.id}/triggers`, { description: 'd' });
    expect(await asRoot('DELETE', `/users/${person.id}`)).toMatchObject(answer(204, undefined));
    expect(await as(person, 'GET', '/user')).toMatchObject(unauthorized);
    expect((await asRoot('GET', `/projects/${project.id}/triggers`)).body).toEqual([]);
    expect(await asRoot('GET', `/projects/${project.id}/members/${person.id}`)).toMatchObject(notFound);
    expect(await asRoot('DELETE', `/users/${person.id}`)).toMatchObject(noUser);
  });
});

describe('access tokens', () => {
  const path = () => `/users/${ada.id}/personal_access_tokens`;

  test('are told once, and listed without their characters', async () => {
    const fields = { name: 'laptop', description: 'mine', scopes: ['api', 'read_api'], expires_at: inDays(30) };
    const { status, body } = await asRoot('POST', path(), fields);
    expect(status).toBe(201);
    const { token, ...rest } = body;
    expect(token).toMatch(/^glpat-[\w-]{20,}$/);
    expect(rest).toEqual({
      id: expect.any(Number),
      name: 'laptop',
      revoked: false,
      created_at: time,
      description: 'mine',
      scopes: ['api', 'read_api'],
      user_id: ada.id,
      last_used_at: null,
      active: true,
      expires_at: inDays(30),
    });
    expect(await as(ada, 'GET', `/personal_access_tokens/${rest.id}`)).toMatchObject(answer(200, rest));
    expect((await as(ada, 'GET', '/personal_access_tokens?search=lapt')).body).toEqual([rest]);
  });

  test.each([
    ['nothing', {}, 400, { error: 'name is missing, scopes is missing' }],
    ['an unknown scope', { name: 'n', scopes: ['root'] }, 400, { error: 'scopes does not have a valid value' }],
    ['no scope', { name: 'n', scopes: [] }, 422, { message: "Scopes can't be blank" }],
    ['a blank name', { name: ' ', scopes: ['api'] }, 422, { message: "Name can't be blank" }],
    ['a bad end', { name: 'n', scopes: ['api'], expires_at: 'soon' }, 400, { error: 'expires_at is invalid' }],
  ])('are not created with %s', async (_, json, status, body) => {
    expect(await asRoot('POST', path(), json)).toMatchObject(answer(status, body));
  });

  test('end within a year, and belong to somebody', async () => {
    const fields = { name: 'n', scopes: 'api,read_api', expires_at: inDays(365) };
    expect(await asRoot('POST', path(), fields)).toMatchObject(
      answer(422, { message: `Expiration date must be before ${inDays(365)}` }),
    );
    expect(await asRoot('POST', path(), { ...fields, expires_at: inDays(364) })).toMatchObject({ status: 201 });
    expect(await asRoot('POST', '/users/999999/personal_access_tokens', { name: 'n', scopes: 'api' })).toMatchObject(
      noUser,
    );
  });

  test('an expired one is refused as such', async () => {
    const token = await flagfall.newAccessToken(ada.id, { expires_at: inDays(0) });
    expect(await call('GET', '/user', { token })).toMatchObject(
      answer(401, {
        error: 'invalid_token',
        error_description: 'Token is expired. You can either do re-authorization or token refresh.',
      }),
    );
  });

  test('a revoked one is refused from the moment the call returned, and stays listed', async () => {
    const token = await flagfall.newAccessToken(ada.id);
    const self = await call('GET', '/personal_access_tokens/self', { token });
    expect(self).toMatchObject(answer(200, { user_id: ada.id, active: true }));
    expect(await as(ada, 'DELETE', `/personal_access_tokens/${self.body.id}`)).toMatchObject({ status: 204 });
    expect(await call('GET', '/user', { token })).toMatchObject(
      answer(401, {
        error: 'invalid_token',
        error_description: 'Token was revoked. You have to re-authorize from the user.',
      }),
    );
    expect(await as(ada, 'GET', `/personal_access_tokens/${self.body.id}`)).toMatchObject(
      answer(200, { revoked: true, active: false }),
    );
    const ids = async (query: string) =>
      (await as(ada, 'GET', `/personal_access_tokens?per_page=100&${query}`)).body.map(
        (found: { id: number }) => found.id,
      );
    expect(await ids('revoked=true')).toContain(self.body.id);
    expect(await ids('revoked=false')).not.toContain(self.body.id);
    expect(await ids('state=inactive')).toContain(self.body.id);
    expect(await ids('state=active')).not.toContain(self.body.id);
  });

  test('one revokes itself', async () => {
    const token = await flagfall.newAccessToken(ada.id);
    expect(await call('DELETE', '/personal_access_tokens/self', { token })).toMatchObject({ status: 204 });
    expect(await call('GET', '/user', { token })).toMatchObject({ status: 401 });
  });

  test('those of others are the administrators’ business', async () => {
    const { id } = (await as(grace, 'GET', '/personal_access_tokens/self')).body;
    expect(await as(ada, 'GET', `/personal_access_tokens/${id}`)).toMatchObject(unauthorized);
    expect(await as(ada, 'GET', '/personal_access_tokens/999999')).toMatchObject(unauthorized);
    expect(await as(ada, 'DELETE', `/personal_access_tokens/${id}`)).toMatchObject(
      answer(400, { message: '400 Bad request' }),
    );
    expect(await as(ada, 'GET', `/personal_access_tokens?user_id=${grace.id}`)).toMatchObject(unauthorized);
    expect((await asRoot('GET', `/personal_access_tokens?user_id=${grace.id}`)).body).toMatchObject([{ id }]);
    expect(await asRoot('GET', `/personal_access_tokens/${id}`)).toMatchObject({ status: 200 });
    expect(await asRoot('GET', '/personal_access_tokens/999999')).toMatchObject(notFound);
    expect(await asRoot('DELETE', '/personal_access_tokens/999999')).toMatchObject(notFound);
  });
});

describe('members', () => {
  let project: Project;
  let maintainer: Person;
  let owner: Person;
  const members = ({ id } = project) => `/projects/${id}/members`;

  beforeAll(async () => {
    project = await flagfall.newProject({ path: 'team' });
    maintainer = await flagfall.newUser('maintainer');
    owner = await flagfall.newUser('owner');
    await flagfall.join(project, maintainer, 40);
    await flagfall.join(project, owner, 50);
  });

  test('the creator of a project is its Owner', async () => {
    const { id } = (await asRoot('GET', '/user')).body;
    expect(await asRoot('GET', `${members()}/${id}`)).toMatchObject(answer(200, { access_level: 50 }));
  });

  test('is added, shown, listed, changed and removed', async () => {
    const person = await flagfall.newUser('passer-by');
    const added = await as(maintainer, 'POST', members(), {
      user_id: person.id,
      access_level: 30,
      expires_at: inDays(5),
    });
    expect(added).toMatchObject({ status: 201 });
    expect(added.body).toEqual({
      id: person.id,
      username: 'passer-by',
      name: 'The passer-by',
      state: 'active',
      locked: false,
      avatar_url: null,
      web_url: `${flagfall.url}/passer-by`,
      access_level: 30,
      created_at: time,
      created_by: expect.objectContaining({ id: maintainer.id, username: 'maintainer' }),
      expires_at: inDays(5),
      membership_state: 'active',
    });
    const path = `${members()}/${person.id}`;
    expect(await as(person, 'GET', path)).toMatchObject(answer(200, added.body));
    expect((await as(person, 'GET', `${members()}?query=passer`)).body).toEqual([added.body]);
    expect((await as(person, 'GET', `${members()}?user_ids[]=${person.id}`)).body).toEqual([added.body]);
    expect((await as(person, 'GET', `${members()}?user_ids=${person.id},${owner.id}`)).body).toHaveLength(2);
    expect(await as(maintainer, 'POST', members(), { user_id: person.id, access_level: 30 })).toMatchObject(
      answer(409, { message: 'Member already exists' }),
    );
    expect(await as(maintainer, 'PUT', path, { access_level: 20 })).toMatchObject(
      answer(200, { access_level: 20, expires_at: inDays(5) }),
    );
    expect(await as(maintainer, 'PUT', path, { access_level: 20, expires_at: '' })).toMatchObject(
      answer(200, { expires_at: null }),
    );
    expect(await as(maintainer, 'DELETE', path)).toMatchObject(answer(204, undefined));
    expect(await as(maintainer, 'GET', path)).toMatchObject(notFound);
    expect(await as(maintainer, 'DELETE', path)).toMatchObject(notFound);
    expect(await as(maintainer, 'PUT', path, { access_level: 20 })).toMatchObject(notFound);
  });

  test('is added by username', async () => {
    const person = await flagfall.newUser('Named');
    expect(await as(maintainer, 'POST', members(), { username: 'named', access_level: 10 })).toMatchObject(
      answer(201, { id: person.id, access_level: 10 }),
    );
  });

  test.each([
    ['nothing', {}, answer(400, { error: 'access_level is missing' })],
    [
      'nobody',
      { access_level: 30 },
      answer(400, { error: 'user_id, username are missing, exactly one parameter must be provided' }),
    ],
    [
      'both names',
      { access_level: 30, user_id: 1, username: 'ada' },
      answer(400, { error: 'user_id, username are mutually exclusive' }),
    ],
    ['no such user', { access_level: 30, user_id: 999_999 }, noUser],
    [
      'a level that is none',
      { access_level: 35, username: 'ada' },
      answer(400, { message: { access_level: ['is not included in the list'] } }),
    ],
    [
      'a past end',
      { access_level: 30, username: 'ada', expires_at: '2020-01-01' },
      answer(400, { message: { expires_at: ['cannot be a date in the past'] } }),
    ],
  ])('is not added with %s', async (_, json, expected) => {
    expect(await as(maintainer, 'POST', members(), json)).toMatchObject(expected);
  });

  test('Maintainers do not touch Owners, nor make any', async () => {
    expect(await as(maintainer, 'POST', members(), { username: 'grace', access_level: 50 })).toMatchObject(forbidden);
    expect(await as(maintainer, 'PUT', `${members()}/${owner.id}`, { access_level: 30 })).toMatchObject(forbidden);
    expect(await as(maintainer, 'PUT', `${members()}/${maintainer.id}`, { access_level: 50 })).toMatchObject(forbidden);
    expect(await as(maintainer, 'DELETE', `${members()}/${owner.id}`)).toMatchObject(forbidden);
    expect(await as(owner, 'PUT', `${members()}/${maintainer.id}`, { access_level: 50 })).toMatchObject({
      status: 200,
    });
    expect(await as(owner, 'PUT', `${members()}/${maintainer.id}`, { access_level: 40 })).toMatchObject({
      status: 200,
    });
  });

  test('everybody may leave, and nobody below Maintainer removes others', async () => {
    const person = await flagfall.newUser('guest');
    await flagfall.join(project, person, 10);
    expect(await as(person, 'DELETE', `${members()}/${owner.id}`)).toMatchObject(forbidden);
    expect(await as(person, 'POST', members(), { username: 'ada', access_level: 10 })).toMatchObject(forbidden);
    expect(await as(person, 'PUT', `${members()}/${person.id}`, { access_level: 40 })).toMatchObject(forbidden);
    expect(await as(person, 'DELETE', `${members()}/${person.id}`)).toMatchObject({ status: 204 });
    expect(await as(person, 'GET', members())).toMatchObject(answer(404, { message: '404 Project Not Found' }));
  });

  test('of a private project are nobody else’s business; those of a public one are shown', async () => {
    const open = await flagfall.newProject({ path: 'forum', visibility: 'public' });
    expect(await as(ada, 'GET', members())).toMatchObject(answer(404, { message: '404 Project Not Found' }));
    expect(await call('GET', members(open))).toMatchObject({ status: 200 });
    expect(await call('DELETE', `${members(open)}/1`)).toMatchObject(unauthorized);
    expect(await call('POST', members(open), { json: {} })).toMatchObject(unauthorized);
  });
});
