import { type Answer, externalUrl, type Flagfall, startFlagfall } from './testing/flagfall.js';
import { join, newPerson, newProject, newToken, type Person } from './testing/people.js';

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const day = 86_400_000;
/** A date within the year that tokens may live. */
const soon = new Date(Date.now() + 30 * day).toISOString().slice(0, 10);

let flagfall: Flagfall;
let project: number;
let publicProject: number;
const people: Record<string, Person> = {};

beforeAll(async () => {
  flagfall = await startFlagfall();
  project = await newProject(flagfall, 'closed');
  publicProject = await newProject(flagfall, 'open', { visibility: 'public' });
  const levels = { guest: 10, reporter: 20, developer: 30, maintainer: 40, second: 40, owner: 50, outsider: 0 };
  for (const [name, level] of Object.entries(levels)) {
    const person = (people[name] = await newPerson(flagfall, name));
    if (level > 0) await join(flagfall, project, person.id, level);
  }
  people.administrator = await newPerson(flagfall, 'administrator', { admin: true });
});

afterAll(() => flagfall.stop());

const as = (name: string | undefined) => (name === undefined ? undefined : people[name]?.token);
const triggers = (id: number | string = project) => `/projects/${id}/triggers`;

function call(
  name: string | undefined,
  method: string,
  path: string,
  json?: unknown,
  headers?: Record<string, string>,
) {
  return flagfall.call(method, path, { token: as(name), json, headers });
}

async function create(name = 'maintainer', fields: object = { description: 'nightly' }): Promise<Answer['body']> {
  const { status, body } = await call(name, 'POST', triggers(), fields);
  expect(status).toBe(201);
  return body;
}

const answer = (status: number, body: unknown) => ({ status, body });
const unauthorized = answer(401, { message: '401 Unauthorized' });
const forbidden = answer(403, { message: '403 Forbidden' });
const noProject = answer(404, { message: '404 Project Not Found' });
const notFound = answer(404, { message: '404 Not found' });
const notTheOwner = answer(403, {
  message: '403 Forbidden - The current user is not authorized to update the pipeline trigger token',
});

describe('the object', () => {
  test('has its fields in GitLab’s order, with the full token for the one who made it', async () => {
    const body = await create('maintainer', { description: 'nightly', expires_at: `${soon}T01:00:00+01:00` });
    expect(body).toEqual({
      id: expect.any(Number),
      token: expect.stringMatching(/^glptt-[0-9a-f]{40}$/),
      description: 'nightly',
      created_at: time,
      updated_at: body.created_at,
      last_used: null,
      expires_at: `${soon}T00:00:00.000Z`,
      owner: {
        id: people.maintainer?.id,
        username: 'maintainer',
        name: 'The maintainer',
        state: 'active',
        locked: false,
        avatar_url: null,
        web_url: `${externalUrl}/maintainer`,
      },
    });
    expect(Object.keys(body)).toEqual([
      'id',
      'token',
      'description',
      'created_at',
      'updated_at',
      'last_used',
      'expires_at',
      'owner',
    ]);
  });

  test.each(['maintainer', 'second', 'owner', 'administrator'])('%s sees four characters later', async (name) => {
    const { id, token } = await create();
    const shown = await call(name, 'GET', `${triggers()}/${id}`);
    expect(shown).toMatchObject({ status: 200, body: { id, token: token.slice(6, 10), description: 'nightly' } });
  });
});

describe('list', () => {
  test('is in pages, the oldest first, with all headers', async () => {
    const id = await newProject(flagfall, 'listed');
    expect(await call('administrator', 'GET', triggers(id))).toMatchObject(answer(200, []));
    const ids: number[] = [];
    for (const description of ['a', 'b', 'c']) {
      ids.push((await call('administrator', 'POST', triggers(id), { description })).body.id);
    }
    const first = await call('administrator', 'GET', `${triggers(id)}?per_page=2`);
    expect(first.body.map((trigger: { id: number }) => trigger.id)).toEqual(ids.slice(0, 2));
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-page': '1',
      'x-per-page': '2',
      'x-next-page': '2',
      'x-prev-page': '',
      'x-total': '3',
      'x-total-pages': '2',
      link: expect.stringContaining(
        `<${externalUrl}/api/v4/projects/${id}/triggers?id=${id}&page=2&per_page=2>; rel="next"`,
      ),
    });
    // gitbeaker sends the stray id of the link back.
    const second = await call('administrator', 'GET', `${triggers(id)}?id=${id}&page=2&per_page=2`);
    expect(second.body).toMatchObject([{ id: ids[2], description: 'c' }]);
    expect(second.headers.get('x-next-page')).toBe('');
  });

  test('finds the project by its encoded path', async () => {
    const { id } = await create();
    const { status, body } = await call('maintainer', 'GET', `${triggers('root%2Fclosed')}?per_page=100`);
    expect(status).toBe(200);
    expect(body.map((trigger: { id: number }) => trigger.id)).toContain(id);
  });
});

describe('create', () => {
  test.each([
    ['nothing', {}, 400, { error: 'description is missing' }],
    ['a date that is none', { description: 'd', expires_at: 'abc' }, 400, { error: 'expires_at is invalid' }],
    ['an American date', { description: 'd', expires_at: '01/01/2050' }, 400, { error: 'expires_at is invalid' }],
    ['two-digit parts', { description: 'd', expires_at: '25/26/27' }, 400, { error: 'expires_at is invalid' }],
    ['a number', { description: 'd', expires_at: '2308' }, 400, { error: 'expires_at is invalid' }],
    ['both faults', { expires_at: 'abc' }, 400, { error: 'description is missing, expires_at is invalid' }],
  ])('refuses %s', async (_, fields, status, body) => {
    expect(await call('maintainer', 'POST', triggers(), fields)).toMatchObject(answer(status, body));
  });

  test('refuses an end a year ahead, and takes one a day earlier', async () => {
    const inDays = (days: number) =>
      new Date(Math.floor(Date.now() / day) * day + days * day).toISOString().slice(0, 10);
    expect(await call('maintainer', 'POST', triggers(), { description: 'd', expires_at: inDays(365) })).toMatchObject(
      answer(400, { message: `400 Bad request - {"expires_at":["must be before ${inDays(365)}"]}` }),
    );
    expect(await create('maintainer', { description: 'd', expires_at: inDays(364) })).toMatchObject({
      expires_at: `${inDays(364)}T00:00:00.000Z`,
    });
  });

  test('takes an empty description, a past end, and unknown parameters', async () => {
    expect(await create('maintainer', { description: '', expires_at: '2020-01-01', no: 'matter' })).toMatchObject({
      description: '',
      expires_at: '2020-01-01T00:00:00.000Z',
    });
  });

  test.each([
    ['query', `?description=q`, {}],
    ['urlencoded', '', { body: new URLSearchParams({ description: 'q' }) }],
    ['multipart', '', { body: formOf({ description: 'q' }) }],
  ])('takes its parameters from %s', async (_, query, init) => {
    const response = await fetch(`${flagfall.url}/api/v4${triggers()}${query}`, {
      method: 'POST',
      headers: { 'PRIVATE-TOKEN': as('maintainer') ?? '' },
      ...init,
    });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ description: 'q' });
  });
});

function formOf(fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

describe('show, update and delete', () => {
  test.each([
    ['GET', '999999', notFound],
    ['GET', '-5', notFound],
    ['GET', 'abc', answer(400, { error: 'trigger_id is invalid' })],
    ['PUT', '999999', notFound],
    ['PUT', 'abc', answer(400, { error: 'trigger_id is invalid' })],
    ['DELETE', '999999', notFound],
    ['DELETE', 'abc', answer(400, { error: 'trigger_id is invalid' })],
  ])('%s %s', async (method, id, expected) => {
    expect(await call('maintainer', method, `${triggers()}/${id}`)).toMatchObject(expected);
  });

  test('one of another project is not there', async () => {
    const { id } = await create();
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect(await call('administrator', method, `${triggers(publicProject)}/${id}`)).toMatchObject(notFound);
    }
  });

  test('only the description changes; left out, it is gone', async () => {
    const made = await create('maintainer', { description: 'old', expires_at: soon });
    const path = `${triggers()}/${made.id}`;
    const renamed = await call('maintainer', 'PUT', path, { description: 'new', expires_at: '2020-01-01' });
    expect(renamed).toMatchObject(
      answer(200, { id: made.id, description: 'new', expires_at: `${soon}T00:00:00.000Z` }),
    );
    expect(renamed.body.updated_at > made.updated_at).toBe(true);
    expect(await call('maintainer', 'PUT', path)).toMatchObject(answer(200, { description: null }));
  });

  test.each([
    ['no body', undefined, {}],
    ['JSON {} (gitbeaker)', {}, {}],
    ['an empty JSON body (python-gitlab)', undefined, { 'Content-Type': 'application/json' }],
  ])('is revoked with %s', async (_, json, headers) => {
    const { id } = await create();
    const path = `${triggers()}/${id}`;
    expect(await call('second', 'DELETE', path, json, headers)).toMatchObject(answer(204, undefined));
    expect(await call('maintainer', 'GET', path)).toMatchObject(notFound);
    expect(await call('second', 'DELETE', path)).toMatchObject(notFound);
  });

  test('is not revoked when it changed since', async () => {
    const { id, updated_at } = await create();
    const path = `${triggers()}/${id}`;
    const since = (date: string) => call('maintainer', 'DELETE', path, undefined, { 'If-Unmodified-Since': date });
    const before = new Date(Date.parse(updated_at) - 1_000).toUTCString();
    expect(await since(before)).toMatchObject(answer(412, { message: '412 Precondition Failed' }));
    expect(await since(new Date(Date.parse(updated_at) - 1).toISOString())).toMatchObject({ status: 412 });
    expect(await since(updated_at)).toMatchObject({ status: 204 });
  });

  test('a condition that is no date is ignored', async () => {
    const { id } = await create();
    const path = `${triggers()}/${id}`;
    expect(await call('maintainer', 'DELETE', path, undefined, { 'If-Unmodified-Since': 'whenever' })).toMatchObject({
      status: 204,
    });
  });

  test('nobody takes ownership any more', async () => {
    const { id } = await create();
    expect(await call('second', 'POST', `${triggers()}/${id}/take_ownership`)).toMatchObject(
      answer(404, { error: '404 Not Found' }),
    );
  });
});

describe('revocation', () => {
  test('holds from the moment the call returned', async () => {
    const { id, token } = await create();
    const trigger = () =>
      flagfall.call('POST', `/projects/${project}/trigger/pipeline`, { json: { token, ref: 'nowhere' } });
    // It authenticates: the refusal is about the pipeline, not about the token.
    expect((await trigger()).status).toBe(400);
    await call('maintainer', 'DELETE', `${triggers()}/${id}`);
    expect(await trigger()).toMatchObject(answer(404, { message: '404 Not Found' }));
  });

  test('an expired token is listed and triggers nothing', async () => {
    const { id, token } = await create('maintainer', { description: 'old', expires_at: '2020-01-01' });
    expect(
      await flagfall.call('POST', `/projects/${project}/trigger/pipeline`, { json: { token, ref: 'nowhere' } }),
    ).toMatchObject(answer(404, { message: '404 Not Found' }));
    expect(await call('maintainer', 'GET', `${triggers()}/${id}`)).toMatchObject({ status: 200 });
  });
});

describe('who may', () => {
  const operations = ['list', 'show', 'create', 'update', 'delete'] as const;
  type Operation = (typeof operations)[number];

  async function attempt(operation: Operation, name: string | undefined, projectId = project): Promise<Answer> {
    const { id } = projectId === project ? await create('second') : { id: 1 };
    const one = `${triggers(projectId)}/${id}`;
    switch (operation) {
      case 'list':
        return call(name, 'GET', triggers(projectId));
      case 'show':
        return call(name, 'GET', one);
      case 'create':
        return call(name, 'POST', triggers(projectId), { description: 'd' });
      case 'update':
        return call(name, 'PUT', one, { description: 'theirs' });
      case 'delete':
        return call(name, 'DELETE', one);
    }
  }

  const matrix: [who: string | undefined, expected: Record<Operation, object>][] = [
    [undefined, all(unauthorized)],
    ['outsider', all(noProject)],
    ['guest', { ...all(forbidden), update: notTheOwner }],
    ['reporter', { ...all(forbidden), update: notTheOwner }],
    ['developer', { ...all(forbidden), update: notTheOwner }],
    ['maintainer', { ...allowed(), update: notTheOwner }],
    ['owner', { ...allowed(), update: notTheOwner }],
    ['administrator', { ...allowed(), update: notTheOwner }],
    ['second', allowed()],
  ];

  function all(expected: object): Record<Operation, object> {
    return { list: expected, show: expected, create: expected, update: expected, delete: expected };
  }

  function allowed(): Record<Operation, object> {
    return {
      list: { status: 200 },
      show: { status: 200 },
      create: { status: 201 },
      update: { status: 200 },
      delete: { status: 204 },
    };
  }

  const cells = matrix.flatMap(([who, expected]) =>
    operations.map((operation) => [who ?? 'nobody', operation, who, expected[operation]] as const),
  );

  test.each(cells)('%s: %s', async (_, operation, who, expected) => {
    expect(await attempt(operation, who)).toMatchObject(expected);
  });

  test.each(operations)('nobody may %s on a public project', async (operation) => {
    expect(await attempt(operation, undefined, publicProject)).toMatchObject(unauthorized);
  });

  test.each(['list', 'show', 'create', 'delete'] as const)(
    'an outsider may not %s on a public one',
    async (operation) => {
      expect(await attempt(operation, 'outsider', publicProject)).toMatchObject(forbidden);
    },
  );

  test.each(operations)('%s on a project that is not there', async (operation) => {
    expect(await attempt(operation, 'administrator', 999_999)).toMatchObject(noProject);
    expect(await attempt(operation, undefined, 999_999)).toMatchObject(unauthorized);
  });

  test('a Developer learns which ids there are', async () => {
    expect(await call('developer', 'PUT', `${triggers()}/999999`, { description: 'd' })).toMatchObject(notFound);
    expect(await call('developer', 'GET', `${triggers()}/999999`)).toMatchObject(forbidden);
  });

  test('an owner who was demoted may no longer describe it', async () => {
    const person = await newPerson(flagfall, 'demoted');
    await join(flagfall, project, person.id, 40);
    people.demoted = person;
    const { id } = await create('demoted');
    await call('administrator', 'PUT', `/projects/${project}/members/${person.id}`, { access_level: 30 });
    expect(await call('demoted', 'PUT', `${triggers()}/${id}`, { description: 'd' })).toMatchObject(notTheOwner);
  });

  test('a token that may only read lists, and changes nothing', async () => {
    const token = await newToken(flagfall, people.maintainer?.id ?? 0, { scopes: ['read_api'] });
    expect(await flagfall.call('GET', triggers(), { token })).toMatchObject({ status: 200 });
    expect(await flagfall.call('POST', triggers(), { token, json: { description: 'd' } })).toMatchObject(
      answer(403, {
        error: 'insufficient_scope',
        error_description: 'The request requires higher privileges than provided by the access token.',
        scope: 'api',
      }),
    );
  });
});

describe('TRIGGER_TOKENS=retrievable', () => {
  let retrievable: Flagfall;

  beforeAll(async () => {
    retrievable = await startFlagfall({ TRIGGER_TOKENS: 'retrievable' });
  });

  afterAll(() => retrievable.stop());

  test('its owner sees it again while a Maintainer, nobody else does', async () => {
    const id = await newProject(retrievable, 'app');
    const ada = await newPerson(retrievable, 'ada');
    await join(retrievable, id, ada.id, 40);
    const path = `/projects/${id}/triggers`;
    const made = (await retrievable.call('POST', path, { token: ada.token, json: { description: 'd' } })).body;
    const shown = async (token: string) => [
      (await retrievable.call('GET', `${path}/${made.id}`, { token })).body.token,
      (await retrievable.call('GET', path, { token })).body[0].token,
    ];
    expect(await shown(ada.token)).toEqual([made.token, made.token]);
    const short = made.token.slice(6, 10);
    expect(await shown(retrievable.rootToken)).toEqual([short, short]);
    const updated = await retrievable.call('PUT', `${path}/${made.id}`, {
      token: ada.token,
      json: { description: 'e' },
    });
    expect(updated.body.token).toBe(made.token);
  });
});
