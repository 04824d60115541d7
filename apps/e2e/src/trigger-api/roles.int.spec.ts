// needs: rabbitmq, postgresql
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';
import { type Case, fill, having, runTable, type Values } from '../testing/table.js';

const flagfall = startsFlagfall({ name: 'roles' });
const values: Values = {};
const running = { flagfall, values };

const levels = { guest: 10, reporter: 20, developer: 30, maintainer: 40, owner: 50 };
const config = 'build: {script: [make]}\napprove: {script: [make], when: manual}\n';

/** A private, an internal and a public project with the same members; `<own>` are pipelines that the Developer started. */
beforeAll(async () => {
  const people = { stranger: await flagfall.newUser('stranger') } as Record<
    string,
    { id: number; username: string; token: string }
  >;
  for (const name of Object.keys(levels)) people[name] = await flagfall.newUser(name);
  for (const visibility of ['private', 'internal', 'public'] as const) {
    const project: Project = await flagfall.newProject({
      files: { '.gitlab-ci.yml': config },
      visibility,
      public_jobs: visibility === 'public',
    });
    for (const [name, level] of Object.entries(levels)) await flagfall.join(project, people[name]!, level);
    const trigger: Trigger = await flagfall.newTrigger(project, people['maintainer']!);
    const pipeline = await flagfall.trigger(trigger);
    const own = await flagfall.must({
      method: 'POST',
      path: `/projects/${project.id}/pipeline`,
      token: people['developer']!.token,
      json: { ref: 'main' },
    });
    const jobs = await flagfall.root({ path: `/projects/${project.id}/pipelines/${pipeline.id}/jobs` });
    const finished = jobs.find(({ name }: { name: string }) => name === 'build').id;
    await flagfall.root({ method: 'POST', path: `/projects/${project.id}/jobs/${finished}/cancel` });
    Object.assign(values, {
      [visibility]: project.id,
      [`${visibility}_path`]: encodeURIComponent(project.path),
      [`${visibility}_trigger`]: trigger.id,
      [`${visibility}_token`]: trigger.token,
      [`${visibility}_pipeline`]: pipeline.id,
      [`${visibility}_own`]: own.id,
      [`${visibility}_job`]: finished,
    });
  }
  for (const [name, { token }] of Object.entries(people)) values[name] = token;
  const user = people['maintainer']!;
  Object.assign(values, {
    root: flagfall.rootToken,
    reads: await flagfall.newAccessToken(user.id, { scopes: ['read_api'] }),
    none: 'glpat-of-nobody',
  });
  const revoked = await flagfall.root({
    method: 'POST',
    path: `/users/${user.id}/personal_access_tokens`,
    json: { name: 'revoked', scopes: ['api'] },
  });
  values['revoked'] = revoked.token;
  await flagfall.root({ method: 'DELETE', path: `/personal_access_tokens/${revoked.id}` });
});

const viewers = [undefined, 'stranger', 'guest', 'reporter', 'developer', 'maintainer', 'owner', 'root'] as const;
const told: Record<number, unknown> = {
  401: { message: '401 Unauthorized' },
  403: { message: '403 Forbidden' },
  404: { message: '404 Project Not Found' },
};

/** Columns: nobody, no member, Guest, Reporter, Developer, Maintainer, Owner, administrator. */
interface Row {
  what: string;
  method?: string;
  path: string;
  json?: unknown;
  private: number[];
  public: number[];
}

const readers = { private: [404, 404, 403, 200, 200, 200, 200, 200], public: [200, 200, 200, 200, 200, 200, 200, 200] };
const jobReaders = {
  private: [401, 404, 403, 200, 200, 200, 200, 200],
  public: [401, 200, 200, 200, 200, 200, 200, 200],
};
const developers = (success: number) => ({
  private: [401, 404, 403, 403, success, success, success, success],
  public: [401, 403, 403, 403, success, success, success, success],
});
const maintainers = (success: number) => ({
  private: [401, 404, 403, 403, 403, success, success, success],
  public: [401, 403, 403, 403, 403, success, success, success],
});

const rows: Row[] = [
  {
    what: 'the project',
    path: '/projects/<project>',
    private: [404, 404, 200, 200, 200, 200, 200, 200],
    public: [200, 200, 200, 200, 200, 200, 200, 200],
  },
  { what: 'list of pipelines', path: '/projects/<project>/pipelines', ...readers },
  { what: 'a pipeline', path: '/projects/<project>/pipelines/<pipeline>', ...readers },
  { what: 'the latest pipeline', path: '/projects/<project>/pipelines/latest', ...readers },
  { what: 'jobs of a pipeline', path: '/projects/<project>/pipelines/<pipeline>/jobs', ...readers },
  { what: 'bridges of a pipeline', path: '/projects/<project>/pipelines/<pipeline>/bridges', ...readers },
  { what: 'list of jobs', path: '/projects/<project>/jobs', ...jobReaders },
  { what: 'a job', path: '/projects/<project>/jobs/<job>', ...jobReaders },
  { what: 'a log', path: '/projects/<project>/jobs/<job>/trace', ...jobReaders },
  {
    what: 'variables of a pipeline of somebody else',
    path: '/projects/<project>/pipelines/<pipeline>/variables',
    private: [404, 404, 403, 403, 403, 200, 200, 200],
    public: [403, 403, 403, 403, 403, 200, 200, 200],
  },
  {
    what: 'variables of the Developer’s own pipeline',
    path: '/projects/<project>/pipelines/<own>/variables',
    private: [404, 404, 403, 403, 200, 200, 200, 200],
    public: [403, 403, 403, 403, 200, 200, 200, 200],
  },
  {
    what: 'create a pipeline',
    method: 'POST',
    path: '/projects/<project>/pipeline',
    json: { ref: 'main' },
    ...developers(201),
  },
  { what: 'cancel a pipeline', method: 'POST', path: '/projects/<project>/pipelines/<own>/cancel', ...developers(200) },
  { what: 'retry a pipeline', method: 'POST', path: '/projects/<project>/pipelines/<own>/retry', ...developers(201) },
  {
    what: 'name a pipeline',
    method: 'PUT',
    path: '/projects/<project>/pipelines/<own>/metadata',
    json: { name: 'x' },
    ...developers(200),
  },
  { what: 'cancel a job', method: 'POST', path: '/projects/<project>/jobs/<job>/cancel', ...developers(201) },
  {
    what: 'play a job that cannot be',
    method: 'POST',
    path: '/projects/<project>/jobs/<job>/play',
    ...developers(400),
  },
  { what: 'list of trigger tokens', path: '/projects/<project>/triggers', ...maintainers(200) },
  { what: 'a trigger token', path: '/projects/<project>/triggers/<trigger>', ...maintainers(200) },
  {
    what: 'create a trigger token',
    method: 'POST',
    path: '/projects/<project>/triggers',
    json: { description: 'x' },
    ...maintainers(201),
  },
  {
    what: 'update somebody’s trigger token',
    method: 'PUT',
    path: '/projects/<project>/triggers/<trigger>',
    json: { description: 'x' },
    private: [401, 404, 403, 403, 403, 200, 403, 403],
    public: [401, 403, 403, 403, 403, 200, 403, 403],
  },
  {
    what: 'revoke a trigger token that is not there',
    method: 'DELETE',
    path: '/projects/<project>/triggers/987654321',
    ...maintainers(404),
  },
  {
    what: 'delete a pipeline that is not there',
    method: 'DELETE',
    path: '/projects/<project>/pipelines/987654321',
    private: [401, 404, 403, 403, 403, 403, 404, 404],
    public: [401, 403, 403, 403, 403, 403, 404, 404],
  },
];

/** The project's own names: `<pipeline>` is `<private_pipeline>` on the private one. */
const on = (visibility: string, text: string) =>
  text.replace(/<(\w+)>/g, (_, name: string) => (name === 'project' ? `<${visibility}>` : `<${visibility}_${name}>`));

/** Refusals have their exact words; a 404 of somebody who sees the project is about the thing in it. */
function isWorded(status: number, message: unknown, outside: boolean): boolean {
  if (status === 403) return String(message).startsWith('403 Forbidden');
  if (status === 404 && !outside) return message === '404 Not found';
  return status === 400 || !(status in told) || message === (told[status] as { message: string }).message;
}

describe.each(rows)('§3.3 $what', (row) => {
  it.each(['private', 'public'] as const)('%s', async (visibility) => {
    const statuses: number[] = [];
    const badlyWorded: unknown[] = [];
    for (const viewer of viewers) {
      const { status, body } = await flagfall.call({
        method: row.method ?? 'GET',
        path: fill(on(visibility, row.path), values),
        json: row.json,
        token: viewer && String(values[viewer]),
      });
      statuses.push(status);
      if (!isWorded(status, body?.message, !viewer || viewer === 'stranger')) badlyWorded.push([viewer, status, body]);
    }
    expect(statuses).toEqual(row[visibility]);
    expect(badlyWorded).toEqual([]);
  });
});

describe('§3.1 credentials', () => {
  const url = '/projects/<private>/triggers';
  const by = (
    name: string,
    call: Omit<Case['call'], 'path'> & { path?: string },
    status: number,
    body?: unknown,
    headers?: Case['headers'],
  ): Case => ({
    name,
    call: { path: url, ...call },
    status,
    body,
    headers,
  });
  const invalid = (description: string) => ({ error: 'invalid_token', error_description: description });
  const scope = {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
    scope: 'api',
  };
  const basic = (password: string) => ({
    headers: { Authorization: `Basic ${Buffer.from(`x:${password}`).toString('base64')}` },
  });

  runTable(
    [
      by('PRIVATE-TOKEN', { as: 'maintainer' }, 200),
      by('private_token in the query', { path: `${url}?private_token=<maintainer>` }, 200),
      by(
        'private_token in the body',
        {
          method: 'POST',
          form: [
            ['private_token', '<maintainer>'],
            ['description', 'x'],
          ],
        },
        201,
      ),
      by('Bearer', { headers: { Authorization: 'Bearer <maintainer>' } }, 200),
      by('bearer in small letters', { headers: { Authorization: 'bearer <maintainer>' } }, 200),
      by('access_token', { path: `${url}?access_token=<maintainer>` }, 200),
      by('a header with other letters', { headers: { 'private-token': '<maintainer>' } }, 200),
      by('nobody', {}, 401, told[401]),
      by('an unknown token', { as: 'none' }, 401, told[401]),
      by('an unknown token, as Bearer', { headers: { Authorization: 'Bearer nonsense' } }, 401, told[401]),
      by(
        'an unknown token, where nobody is needed',
        { path: '/projects/<public>/pipelines', as: 'none' },
        401,
        told[401],
      ),
      by('a trigger token is none', { headers: { 'PRIVATE-TOKEN': '<private_token>' } }, 401, told[401]),
      by(
        'a revoked token',
        { as: 'revoked' },
        401,
        invalid('Token was revoked. You have to re-authorize from the user.'),
        {
          'www-authenticate':
            'Bearer realm="The API", error="invalid_token", error_description="Token was revoked. You have to re-authorize from the user."',
        },
      ),
      by('read_api reads', { as: 'reads' }, 200),
      by('read_api writes nothing', { as: 'reads', method: 'POST', json: { description: 'x' } }, 403, scope),
      by('read_api does not revoke', { as: 'reads', method: 'DELETE', path: `${url}/<private_trigger>` }, 403, scope),
      by(
        'read_api does not cancel',
        { as: 'reads', method: 'POST', path: '/projects/<private>/pipelines/<private_own>/cancel' },
        403,
        scope,
      ),
    ],
    running,
  );

  it('Basic with the token as password', async () => {
    const { status } = await flagfall.call({
      path: `/projects/${values['private']}/triggers`,
      ...basic(String(values['maintainer'])),
    });
    expect(status).toBe(200);
  });
});

describe('§3.2 projects that are not there, and projects that moved', () => {
  const call = (
    name: string,
    method: string,
    path: string,
    as: string | undefined,
    status: number,
    body?: unknown,
    headers?: Case['headers'],
  ): Case => ({
    name,
    call: { method, path, ...(as && { as }) },
    status,
    body,
    headers,
  });

  beforeAll(async () => {
    const moved = await flagfall.newProject({ files: { '.gitlab-ci.yml': config }, path: 'once' });
    await flagfall.root({ method: 'PUT', path: `/projects/${moved.id}`, json: { path: 'now' } });
    values['moved'] = moved.id;
    values['url'] = flagfall.url;
  });

  runTable(
    [
      call('not there, for somebody', 'GET', '/projects/987654321/pipelines', 'owner', 404, told[404]),
      call('not there, for nobody', 'GET', '/projects/987654321/pipelines', undefined, 404, told[404]),
      call(
        'not there, for nobody who would need to be somebody',
        'GET',
        '/projects/987654321/triggers',
        undefined,
        401,
        told[401],
      ),
      call('a name without a slash', 'GET', '/projects/app1', 'root', 404, told[404]),
      call(
        'a former path leads to the new one with the rest of the URL',
        'GET',
        '/projects/group%2Fonce/pipelines?ref=main',
        'root',
        301,
        undefined,
        {
          location: '<url>/api/v4/projects/<moved>/pipelines?ref=main',
        },
      ),
    ],
    running,
  );
});

describe('§5.1 surroundings', () => {
  const get = (name: string, path: string, as: string | undefined, status: number, body?: unknown): Case => ({
    name,
    call: { path, ...(as && { as }) },
    status,
    body,
  });
  runTable(
    [
      get('version', '/version', 'guest', 200, { version: expect.any(String), revision: expect.any(String) }),
      get('version, for nobody', '/version', undefined, 401, told[401]),
      get(
        'metadata',
        '/metadata',
        'guest',
        200,
        having({
          kas: { enabled: false, externalUrl: null, externalK8sProxyUrl: null, version: null },
          enterprise: false,
        }),
      ),
      get('metadata, for nobody', '/metadata', undefined, 401, told[401]),
      get(
        'the project by number',
        '/projects/<private>',
        'guest',
        200,
        having({ path_with_namespace: 'group/app1', default_branch: 'main', jobs_enabled: true, empty_repo: false }),
      ),
      get(
        'the project by path',
        '/projects/<private_path>',
        'guest',
        200,
        having({ path: 'app1', namespace: { full_path: 'group' } }),
      ),
      get('the project by path with dots encoded', '/projects/group%2Fapp%31', 'guest', 200, having({ path: 'app1' })),
      get(
        'what one may there',
        '/projects/<private>',
        'reporter',
        200,
        having({ permissions: { project_access: { access_level: 20 }, group_access: null } }),
      ),
      get('an unknown path', '/nothing', 'root', 404, { error: '404 Not Found' }),
      get('an unknown path of a project', '/projects/<private>/nothing', 'root', 404, { error: '404 Not Found' }),
      get('taking ownership is no more', '/projects/<private>/triggers/<private_trigger>/take_ownership', 'root', 404, {
        error: '404 Not Found',
      }),
      get('version 3', '//api/v3/projects', 'root', 410, {
        error: 'API V3 is no longer supported. Use API V4 instead.',
      }),
      {
        name: 'another method',
        call: { method: 'PATCH', path: '/projects/<private>/triggers', as: 'root' },
        status: 405,
        body: { error: '405 Not Allowed' },
        headers: { allow: 'GET, HEAD, POST' },
      },
      { name: 'HEAD', call: { method: 'HEAD', path: '/version', as: 'guest' }, status: 200 },
      {
        name: 'GET with a content type and no body, as python-gitlab',
        call: { path: '/user', as: 'guest', headers: { 'Content-Type': 'application/json' } },
        status: 200,
      },
      {
        name: 'DELETE with a JSON body, as gitbeaker',
        call: { method: 'DELETE', path: '/projects/<private>/triggers/987654321', as: 'maintainer', json: {} },
        status: 404,
        body: { message: '404 Not found' },
      },
      {
        name: 'DELETE with a content type and no body, as python-gitlab',
        call: {
          method: 'DELETE',
          path: '/projects/<private>/triggers/987654321',
          as: 'maintainer',
          headers: { 'Content-Type': 'application/json' },
        },
        status: 404,
        body: { message: '404 Not found' },
      },
    ],
    running,
  );
});
