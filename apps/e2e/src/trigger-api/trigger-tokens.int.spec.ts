// needs: rabbitmq, postgresql
import { startInstallation, type Installation } from '../installation.js';
import { type Person, type Project, type Trigger, Verbs } from '../verbs.js';
import { type Case, having, runTable, type Values } from './table.js';

let installation: Installation;
let verbs: Verbs;
let app: Project;
let ada: Person;
let trigger: Trigger;
const values: Values = {};
const running = () => ({ api: verbs.api, values });

const day = 86_400_000;
const dayFromNow = (days: number) => new Date(Date.now() + days * day).toISOString().slice(0, 10);

beforeAll(async () => {
  installation = await startInstallation({ name: 'trigger_tokens' });
  verbs = await Verbs.of(installation);
  app = await verbs.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  const other = await verbs.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  ada = await verbs.newUser('ada');
  const bob = await verbs.newUser('bob');
  const developer = await verbs.newUser('developer');
  await verbs.join(app, ada, 40);
  await verbs.join(app, bob, 40);
  await verbs.join(app, developer, 30);
  trigger = await verbs.newTrigger(app, ada, { description: 'nightly' });
  Object.assign(values, {
    app: app.id,
    ada: ada.token,
    bob: bob.token,
    developer: developer.token,
    root: installation.rootToken,
    trigger: trigger.id,
    short: trigger.token.slice('glptt-'.length, 'glptt-'.length + 4),
    elsewhere: (await verbs.newTrigger(other, { token: installation.rootToken })).id,
    before: new Date(Date.now() - day).toUTCString(),
    after: new Date(Date.now() + day).toUTCString(),
  });
}, 120_000);

afterAll(() => installation?.stop(), 60_000);

const url = '/projects/<app>/triggers';
const notFound = { message: '404 Not found' };
const notTheOwner = {
  message: '403 Forbidden - The current user is not authorized to update the pipeline trigger token',
};
const call = (
  name: string,
  method: string,
  path: string,
  as: string,
  status: number,
  body?: unknown,
  json?: unknown,
): Case => ({
  name,
  call: { method, path: url + path, as, json },
  status,
  body,
});
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
      ...['abc', '01/01/2050', '25/26/27', '2308'].map((expires_at) =>
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
  it('has its fields in GitLab’s order', async () => {
    const shown = await verbs.api.must({ path: `/projects/${app.id}/triggers/${trigger.id}`, token: ada.token });
    expect(Object.keys(shown).join(' ')).toBe('id token description created_at updated_at last_used expires_at owner');
    expect(shown.owner).toEqual({
      id: ada.id,
      username: 'ada',
      name: 'The ada',
      state: 'active',
      locked: false,
      avatar_url: null,
      web_url: `${installation.url}/ada`,
    });
  });

  runTable(
    [
      call('for others the token is four characters', 'GET', '/<trigger>', 'bob', 200, having({ token: '<short>' })),
      call('for an administrator too', 'GET', '/<trigger>', 'root', 200, having({ token: '<short>' })),
      call('an unknown one', 'GET', '/987654321', 'ada', 404, notFound),
      call('a negative id', 'GET', '/-5', 'ada', 404, notFound),
      call('no number', 'GET', '/abc', 'ada', 400, { error: 'trigger_id is invalid' }),
      call('another project’s', 'GET', '/<elsewhere>', 'ada', 404, notFound),
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
      call('by another Maintainer', 'PUT', '/<trigger>', 'bob', 403, notTheOwner, { description: 'x' }),
      call('an unknown one, by a Developer', 'PUT', '/987654321', 'developer', 404, notFound, { description: 'x' }),
      call('one that is there, by a Developer', 'PUT', '/<trigger>', 'developer', 403, notTheOwner, {
        description: 'x',
      }),
      remove('changed since', '<before>', 412, { message: '412 Precondition Failed' }),
      remove('revoke, with a date that is none', 'yesterday', 204),
      call('revoke again', 'DELETE', '/<trigger>', 'bob', 404, notFound),
    ],
    running,
  );

  it('a revoked token is refused at once', async () => {
    const revoked = await verbs.newTrigger(app, ada);
    await verbs.trigger(revoked);
    await verbs.api.must({ method: 'DELETE', path: `/projects/${app.id}/triggers/${revoked.id}`, token: ada.token });
    const { status } = await verbs.api.call({
      method: 'POST',
      path: `/projects/${app.id}/trigger/pipeline`,
      json: { token: revoked.token, ref: 'main' },
    });
    expect(status).toBe(404);
  });
});
