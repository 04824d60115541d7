// needs: rabbitmq, postgresql
import { type Call, must } from '../testing/api.js';
import { type Person, startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';
import { type Case, having, runTable, type Values } from '../testing/table.js';

/** The second gateway shows tokens again to their owners. */
const flagfall = startsFlagfall({
  name: 'trigger_tokens',
  gateways: 2,
  gatewayEnvironments: [{}, { TRIGGER_TOKENS: 'retrievable' }],
});
let app: Project;
let ada: Person;
let trigger: Trigger;
const values: Values = {};
const running = { flagfall, values };

const day = 86_400_000;
const dayFromNow = (days: number) => new Date(Date.now() + days * day).toISOString().slice(0, 10);

beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  const other = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  ada = await flagfall.newUser('ada');
  const bob = await flagfall.newUser('bob');
  const developer = await flagfall.newUser('developer');
  const owner = await flagfall.newUser('owner');
  await flagfall.join(app, owner, 50);
  await flagfall.join(app, ada, 40);
  await flagfall.join(app, bob, 40);
  await flagfall.join(app, developer, 30);
  trigger = await flagfall.newTrigger(app, ada, { description: 'nightly' });
  Object.assign(values, {
    app: app.id,
    ada: ada.token,
    bob: bob.token,
    developer: developer.token,
    owner: owner.token,
    root: flagfall.rootToken,
    trigger: trigger.id,
    short: trigger.token.slice('glptt-'.length, 'glptt-'.length + 4),
    elsewhere: (await flagfall.newTrigger(other)).id,
    before: new Date(Date.now() - day).toUTCString(),
    after: new Date(Date.now() + day).toUTCString(),
  });
});

const url = '/projects/<app>/triggers';
const missing = '/projects/999999/triggers';
const unauthorized = { message: '401 Unauthorized' };
const noProject = { message: '404 Project Not Found' };
const notFound = { message: '404 Not found' };
const notTheOwner = {
  message: '403 Forbidden - The current user is not authorized to update the pipeline trigger token',
};
const call = (
  name: string,
  method: string,
  path: string,
  as: string | undefined,
  status: number,
  body?: unknown,
  json?: unknown,
  base = url,
): Case => ({
  name,
  call: { method, path: base + path, json: method === 'GET' ? undefined : json, ...(as && { as }) },
  status,
  body,
});
const newTrigger = (more: object = {}) => flagfall.newTrigger(app, ada, more);
const create = (name: string, json: unknown, status: number, body: unknown) =>
  call(name, 'POST', '', 'ada', status, body, json);

describe('§2.2 create', () => {
  const tooLate = (more: string) => ({
    message: `400 Bad request - {"expires_at":["must be before ${more}"]}`,
  });
  runTable(
    [
      create(
        'with a description',
        { description: 'x' },
        201,
        having({
          description: 'x',
          expires_at: null,
          last_used: null,
          token: expect.stringMatching(/^glptt-[0-9a-f]{40}$/),
          owner: { username: 'ada' },
        }),
      ),
      create('with an empty one', { description: '' }, 201, having({ description: '' })),
      create('without one', {}, 400, { error: 'description is missing' }),
      create('with both faults', { expires_at: 'abc' }, 400, {
        error: 'description is missing, expires_at is invalid',
      }),
      create('with unknown parameters', { description: 'x', no: 'matter' }, 201, having({ description: 'x' })),
      create(
        'with a day',
        { description: 'x', expires_at: dayFromNow(30) },
        201,
        having({ expires_at: `${dayFromNow(30)}T00:00:00.000Z` }),
      ),
      create(
        'with an offset',
        { description: 'x', expires_at: `${dayFromNow(30)}T01:00:00+01:00` },
        201,
        having({ expires_at: `${dayFromNow(30)}T00:00:00.000Z` }),
      ),
      create(
        'with a day that is past',
        { description: 'x', expires_at: '2020-01-01' },
        201,
        having({ expires_at: '2020-01-01T00:00:00.000Z' }),
      ),
      ...['abc', '01/01/2050', '25/26/27', '2308', '0000-01-01', '9999-12-31T23:59:59-01:00'].map((expires_at) =>
        create(`with ${expires_at}`, { description: 'x', expires_at }, 400, { error: 'expires_at is invalid' }),
      ),
      create(
        'with a day that is too far away',
        { description: 'x', expires_at: dayFromNow(366) },
        400,
        tooLate(dayFromNow(365)),
      ),
      create(
        'with the first day that is',
        { description: 'x', expires_at: dayFromNow(365) },
        400,
        tooLate(dayFromNow(365)),
      ),
      create('with the last day that is not', { description: 'x', expires_at: dayFromNow(364) }, 201, having({})),
      call('with a query', 'POST', '?description=x', 'ada', 201, having({ description: 'x' })),
      {
        name: 'with a form',
        call: { method: 'POST', path: url, as: 'ada', form: [['description', 'x']] },
        status: 201,
      },
      {
        name: 'with a multipart form',
        call: { method: 'POST', path: url, as: 'ada', multipart: [['description', 'x']] },
        status: 201,
      },
    ],
    running,
  );
});

describe('§2.1 the object, §2.2 show and list', () => {
  it('has its fields in GitLab’s order, and the full token for the one who made it, this once', async () => {
    const url = `/projects/${app.id}/triggers`;
    const json = { description: 'new' };
    const made = await flagfall.must({ method: 'POST', path: url, token: ada.token, json });
    expect(made).toEqual({
      id: expect.any(Number),
      token: expect.stringMatching(/^glptt-[0-9a-f]{40}$/),
      description: 'new',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: made.created_at,
      last_used: null,
      expires_at: null,
      owner: {
        id: ada.id,
        username: 'ada',
        name: 'The ada',
        state: 'active',
        locked: false,
        avatar_url: null,
        web_url: `${flagfall.url}/ada`,
      },
    });
    const shown = await flagfall.must({ path: `${url}/${made.id}`, token: ada.token });
    expect(shown).toEqual({ ...made, token: made.token.slice(6, 10) });
    for (const each of [made, shown])
      expect(Object.keys(each).join(' ')).toBe('id token description created_at updated_at last_used expires_at owner');
  });

  it('a list begins empty, and grows at its end', async () => {
    const project = await flagfall.newProject({});
    const list = (query = '') =>
      flagfall.call({ path: `/projects/${project.id}/triggers${query}`, token: flagfall.rootToken });
    expect((await list()).body).toEqual([]);
    const ids: number[] = [];
    for (const description of ['a', 'b', 'c'])
      ids.push((await flagfall.newTrigger(project, undefined, { description })).id);
    const first = await list('?per_page=2');
    expect(first.body.map(({ id }: { id: number }) => id)).toEqual(ids.slice(0, 2));
    const next = `<${flagfall.url}/api/v4/projects/${project.id}/triggers?id=${project.id}&page=2&per_page=2>; rel="next"`;
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-page': '1',
      'x-per-page': '2',
      'x-next-page': '2',
      'x-prev-page': '',
      'x-total': '3',
      'x-total-pages': '2',
      link: expect.stringContaining(next),
    });
    // gitbeaker sends the stray id of the link back.
    const second = await list(`?id=${project.id}&page=2&per_page=2`);
    expect(second.body).toMatchObject([{ id: ids[2], description: 'c' }]);
    expect(second.headers.get('x-next-page')).toBe('');
  });

  runTable(
    [
      call('for others the token is four characters', 'GET', '/<trigger>', 'bob', 200, having({ token: '<short>' })),
      call('for its owner too', 'GET', '/<trigger>', 'ada', 200, having({ token: '<short>' })),
      call('for the project’s Owner too', 'GET', '/<trigger>', 'owner', 200, having({ token: '<short>' })),
      call('for an administrator too', 'GET', '/<trigger>', 'root', 200, having({ token: '<short>' })),
      call('an unknown one', 'GET', '/987654321', 'ada', 404, notFound),
      call('a negative id', 'GET', '/-5', 'ada', 404, notFound),
      call('an unknown one, for a Developer', 'GET', '/987654321', 'developer', 403, { message: '403 Forbidden' }),
      call('a number that no id reaches', 'GET', '/99999999999999999999', 'ada', 404, notFound),
      call('no number', 'GET', '/abc', 'ada', 400, { error: 'trigger_id is invalid' }),
      call('another project’s', 'GET', '/<elsewhere>', 'root', 404, notFound),
      {
        name: 'by the project’s path',
        call: { path: '/projects/group%2Fapp1/triggers/<trigger>', as: 'ada' },
        status: 200,
        body: having({ description: 'nightly' }),
      },
      ...['GET', 'POST'].map((method) =>
        call(`${method} on no project`, method, '', 'root', 404, noProject, {}, missing),
      ),
      ...['GET', 'PUT', 'DELETE'].map((method) =>
        call(`${method} one on no project`, method, '/1', 'root', 404, noProject, {}, missing),
      ),
      ...['GET', 'POST'].map((method) =>
        call(`${method} on no project, for nobody`, method, '', undefined, 401, unauthorized, {}, missing),
      ),
      ...['GET', 'PUT', 'DELETE'].map((method) =>
        call(`${method} one on no project, for nobody`, method, '/1', undefined, 401, unauthorized, {}, missing),
      ),
      {
        name: 'the first page of a list',
        call: { path: `${url}?per_page=1`, as: 'ada' },
        status: 200,
        body: (list: { id: number }[]) => expect(list.map(({ id }) => id)).toEqual([values['trigger']]),
        headers: {
          'x-page': '1',
          'x-per-page': '1',
          'x-next-page': '2',
          link: expect.stringMatching(/rel="next".*rel="first".*rel="last"/),
        },
      },
    ],
    running,
  );
});

describe('§2.2 update and delete', () => {
  const remove = (name: string, since: string, status: number, body?: unknown): Case => ({
    name,
    call: { method: 'DELETE', path: `${url}/<trigger>`, as: 'bob', headers: { 'If-Unmodified-Since': since } },
    status,
    body,
  });
  runTable(
    [
      call('a description', 'PUT', '/<trigger>', 'ada', 200, having({ description: 'weekly' }), {
        description: 'weekly',
      }),
      call(
        'expires_at is not for changing',
        'PUT',
        '/<trigger>',
        'ada',
        200,
        having({ description: 'weekly', expires_at: null }),
        { description: 'weekly', expires_at: '2020-01-01' },
      ),
      call(
        'leaving the description out removes it',
        'PUT',
        '/<trigger>',
        'ada',
        200,
        having({ description: null }),
        {},
      ),
      call('one that is not there', 'PUT', '/999999', 'ada', 404, notFound, { description: 'x' }),
      call('another project’s', 'PUT', '/<elsewhere>', 'root', 404, notFound, { description: 'x' }),
      call('no number', 'PUT', '/abc', 'ada', 400, { error: 'trigger_id is invalid' }, { description: 'x' }),
      call('by the project’s Owner', 'PUT', '/<trigger>', 'owner', 403, notTheOwner, { description: 'x' }),
      call('by an administrator', 'PUT', '/<trigger>', 'root', 403, notTheOwner, { description: 'x' }),
      call('by another Maintainer', 'PUT', '/<trigger>', 'bob', 403, notTheOwner, { description: 'x' }),
      call('an unknown one, by a Developer', 'PUT', '/987654321', 'developer', 404, notFound, { description: 'x' }),
      call('one that is there, by a Developer', 'PUT', '/<trigger>', 'developer', 403, notTheOwner, {
        description: 'x',
      }),
      call('revoke one that is not there', 'DELETE', '/999999', 'ada', 404, notFound),
      call('revoke another project’s', 'DELETE', '/<elsewhere>', 'root', 404, notFound),
      call('revoke no number', 'DELETE', '/abc', 'ada', 400, { error: 'trigger_id is invalid' }),
      call('nobody takes ownership any more', 'POST', '/<trigger>/take_ownership', 'bob', 404, {
        error: '404 Not Found',
      }),
      remove('changed since', '<before>', 412, { message: '412 Precondition Failed' }),
      remove('revoke, with a date that is none', 'yesterday', 204),
      call('revoke again', 'DELETE', '/<trigger>', 'bob', 404, notFound),
    ],
    running,
  );

  it('an update moves updated_at, and nothing else but the description', async () => {
    const path = `/projects/${app.id}/triggers/${(await newTrigger({ expires_at: dayFromNow(30) })).id}`;
    const before = await flagfall.must({ path, token: ada.token });
    const json = { description: 'new', expires_at: '2020-01-01' };
    const after = await flagfall.must({ method: 'PUT', path, token: ada.token, json });
    expect(after).toEqual({ ...before, description: 'new', updated_at: expect.any(String) });
    expect(after.updated_at > before.updated_at).toBe(true);
  });

  it('an owner who was demoted may no longer describe it', async () => {
    const person = await flagfall.newUser('demoted');
    await flagfall.join(app, person, 40);
    const { id } = await flagfall.newTrigger(app, person);
    const json = { access_level: 30 };
    await flagfall.root({ method: 'PUT', path: `/projects/${app.id}/members/${person.id}`, json });
    const path = `/projects/${app.id}/triggers/${id}`;
    const told = await flagfall.call({ method: 'PUT', path, token: person.token, json: { description: 'x' } });
    expect(told).toMatchObject({ status: 403, body: notTheOwner });
  });
});

describe('§2.2 revocation', () => {
  const revoke = ({ id }: Trigger, token: string, more: Partial<Call> = {}) =>
    flagfall.call({ method: 'DELETE', path: `/projects/${app.id}/triggers/${id}`, token, ...more });
  const trigger = ({ token }: Trigger) =>
    flagfall.call({ method: 'POST', path: `/projects/${app.id}/trigger/pipeline`, json: { token, ref: 'main' } });

  it.each<[string, string, Partial<Call>]>([
    ['its owner', 'ada', {}],
    ['another Maintainer, with JSON {} (gitbeaker)', 'bob', { json: {} }],
    ['the project’s Owner, with an empty JSON body (python-gitlab)', 'owner', { headers: { 'Content-Type': 'application/json' } }],
    ['an administrator', 'root', {}],
  ])('by %s', async (_, who, more) => {
    const made = await newTrigger();
    expect(await revoke(made, String(values[who]), more)).toMatchObject({ status: 204, body: undefined });
    expect((await revoke(made, String(values[who]))).status).toBe(404);
  }); // prettier-ignore

  it('holds from the moment the call returned', async () => {
    const made = await newTrigger();
    expect((await trigger(made)).status).toBe(201);
    await revoke(made, ada.token);
    expect(await trigger(made)).toMatchObject({ status: 404, body: { message: '404 Not Found' } });
  });

  it('is refused when it changed since, to the millisecond', async () => {
    const made = await newTrigger();
    const { updated_at } = await flagfall.root({ path: `/projects/${app.id}/triggers/${made.id}` });
    const since = (date: string) => revoke(made, ada.token, { headers: { 'If-Unmodified-Since': date } });
    expect((await since(new Date(Date.parse(updated_at) - 1).toISOString())).status).toBe(412);
    expect((await since(updated_at)).status).toBe(204);
  });

  it('is no matter of the end: an expired one is listed, and triggers nothing', async () => {
    const made = await newTrigger({ expires_at: '2020-01-01' });
    expect(await trigger(made)).toMatchObject({ status: 404, body: { message: '404 Not Found' } });
    const listed = await flagfall.root({ path: `/projects/${app.id}/triggers?per_page=100` });
    expect(listed.map(({ id }: { id: number }) => id)).toContain(made.id);
  });
});

describe('TRIGGER_TOKENS=retrievable', () => {
  it('its owner sees it again while a Maintainer, nobody else does', async () => {
    const url = flagfall.installation.urls[1]!;
    const path = `/projects/${app.id}/triggers`;
    const json = { description: 'd' };
    const made = await must(url, { method: 'POST', path, token: ada.token, json });
    const shown = async (token: string): Promise<string[]> => {
      const listed = await must(url, { path: `${path}?per_page=100`, token });
      const [found] = listed.filter(({ id }: { id: number }) => id === made.id);
      return [(await must(url, { path: `${path}/${made.id}`, token })).token, found.token];
    };
    expect(await shown(ada.token)).toEqual([made.token, made.token]);
    const short = made.token.slice(6, 10);
    expect(await shown(flagfall.rootToken)).toEqual([short, short]);
    const updated = await must(url, { method: 'PUT', path: `${path}/${made.id}`, token: ada.token, json });
    expect(updated.token).toBe(made.token);
  });
});
