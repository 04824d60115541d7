// needs: rabbitmq, postgresql
import { join } from 'node:path';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { TestRepository } from '../../../pipeline-service/src/repositories/testing/test-repository.js';
import type { Answer } from '../testing/api.js';
import { startsFlagfall } from '../testing/flagfall.js';

const unauthorized = { message: '401 Unauthorized' };
const forbidden = { message: '403 Forbidden' };
const projectNotFound = { message: '404 Project Not Found' };
/** What every refusal of access says. */
const refusals: Record<number, object> = { 401: unauthorized, 403: forbidden, 404: projectNotFound };
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface Client {
  call(method: string, path: string, json?: unknown): Promise<Answer>;
}

/** The services on RabbitMQ and PostgreSQL, and all in one process with the embedded database. */
describe.each([
  ['services', false],
  ['standalone', true],
])('projects, %s', (name, standalone) => {
  const flagfall = startsFlagfall({ name: `projects_${name}`, standalone });
  /** Tokens by their owner's level on `group/app`; `stranger` has none, `nobody` is not signed in. */
  const tokens: Record<string, string | undefined> = {};
  const ids: Record<string, number> = {};
  let externalUrl: string;
  let app = 0;

  beforeAll(async () => {
    externalUrl = flagfall.url;
    const project = await flagfall.newProject({ path: 'app' });
    app = project.id;
    const levels = { stranger: 0, guest: 10, reporter: 20, developer: 30, maintainer: 40, owner: 50 };
    for (const [who, level] of Object.entries(levels)) {
      const person = await flagfall.newUser(who);
      ids[who] = person.id;
      tokens[who] = person.token;
      if (level > 0) await flagfall.join(project, person, level);
    }
    tokens['root'] = flagfall.rootToken;
  });

  const as = (who: string): Client => ({
    call: (method, path, json) => flagfall.call({ method, path, token: tokens[who], json }),
  });
  const answer = async (who: string, method: string, path: string, body?: unknown): Promise<[number, unknown]> => {
    const { status, body: told } = await as(who).call(method, path.replace(':app', String(app)), body);
    return [status, told];
  };

  describe('creating', () => {
    it('answers with the whole project, field by field', async () => {
      const { status, body } = await as('maintainer').call('POST', '/projects', {
        name: 'My First',
        path: 'my-first',
        description: 'Says hello',
        import_url: 'https://bot:secret@git.example.invalid/x.git',
        default_branch: 'trunk',
        ci_config_path: 'ci/build.yml',
        visibility: 'internal',
        public_jobs: false,
        builds_access_level: 'private',
        ci_pipeline_variables_minimum_override_role: 'maintainer',
      });
      expect(status).toBe(201);
      const url = `${externalUrl}/maintainer/my-first`;
      expect(body).toEqual({
        id: expect.any(Number),
        description: 'Says hello',
        name: 'My First',
        name_with_namespace: 'The maintainer / My First',
        path: 'my-first',
        path_with_namespace: 'maintainer/my-first',
        created_at: expect.stringMatching(time),
        default_branch: 'trunk',
        tag_list: [],
        topics: [],
        ssh_url_to_repo: 'git@127.0.0.1:maintainer/my-first.git',
        http_url_to_repo: `${url}.git`,
        web_url: url,
        avatar_url: null,
        last_activity_at: expect.stringMatching(time),
        namespace: {
          id: expect.any(Number),
          name: 'The maintainer',
          path: 'maintainer',
          kind: 'user',
          full_path: 'maintainer',
          parent_id: null,
          avatar_url: null,
          web_url: `${externalUrl}/maintainer`,
        },
        _links: {
          self: `${externalUrl}/api/v4/projects/${body.id}`,
          members: `${externalUrl}/api/v4/projects/${body.id}/members`,
        },
        empty_repo: false,
        archived: false,
        visibility: 'internal',
        owner: {
          id: ids['maintainer'],
          username: 'maintainer',
          name: 'The maintainer',
          state: 'active',
          locked: false,
          avatar_url: null,
          web_url: `${externalUrl}/maintainer`,
        },
        creator_id: ids['maintainer'],
        import_url: 'https://git.example.invalid/x.git',
        jobs_enabled: true,
        builds_access_level: 'private',
        public_jobs: false,
        ci_config_path: 'ci/build.yml',
        ci_pipeline_variables_minimum_override_role: 'maintainer',
        build_timeout: 3600,
        ci_default_git_depth: 20,
        permissions: { project_access: { access_level: 50, notification_level: 3 }, group_access: null },
      });
      expect((await as('maintainer').call('GET', `/projects/${body.id}`)).body).toEqual(body);
      const member = await as('maintainer').call('GET', `/projects/${body.id}/members/${ids['maintainer']}`);
      expect(member.body.access_level).toBe(50);
    });

    it('asks the repository for its default branch', async () => {
      const path = join(flagfall.installation.repositories, 'develop');
      const repository = await TestRepository.create(path);
      await repository.git('checkout', '--quiet', '-b', 'develop');
      await repository.commit({ 'README.md': 'hello\n' });
      const { body } = await as('developer').call('POST', '/projects', { name: 'branch', import_url: path });
      expect([body.default_branch, body.import_url]).toEqual(['develop', path]);
    });

    it.each<[string, string, object, number, object]>([
      ['nobody', 'nobody', { name: 'x' }, 401, unauthorized],
      ['without a name', 'developer', {}, 400, { error: 'name, path are missing, at least one parameter must be provided' }],
      ['a name that is taken', 'root', { name: 'app', namespace: 'group' }, 400, { message: { name: ['has already been taken'], path: ['has already been taken'] } }],
      ['a path that is taken in another case', 'root', { name: 'other', path: 'APP', namespace: 'group' }, 400, { message: { path: ['has already been taken'] } }],
      ['a path with a blank', 'developer', { path: 'a b' }, 400, { message: { path: ["can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"] } }],
      ['a path of git', 'developer', { path: 'a.git', name: 'a' }, 400, { message: { path: ["can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"] } }],
      ['a reserved path', 'developer', { path: 'tree' }, 400, { message: { path: ['is a reserved name'] } }],
      ['somebody else’s namespace', 'developer', { path: 'x', namespace: 'group' }, 400, { message: { namespace: ['is not valid'] } }],
      ['a new namespace', 'developer', { path: 'x', namespace: 'new' }, 400, { message: { namespace: ['is not valid'] } }],
      ['a namespace that is not there', 'root', { path: 'x', namespace_id: 999_999 }, 400, { message: { namespace: ['is not valid'] } }],
      ['a namespace of the API', 'root', { path: 'x', namespace: 'api' }, 400, { message: { namespace: ['is not valid'] } }],
      ['an unknown visibility', 'developer', { path: 'x', visibility: 'secret' }, 400, { error: 'visibility does not have a valid value' }],
      ['a configuration outside', 'developer', { path: 'x', ci_config_path: '../x.yml' }, 400, { message: { ci_config_path: ['cannot include leading slash or directory traversal.'] } }],
      ['a repository on the server', 'developer', { path: 'x', import_url: '/srv/x.git' }, 400, { message: { import_url: ['is blocked: only administrators may use a path on the server that is not below REPOSITORY_ROOTS'] } }],
      ['a repository at a metadata address', 'root', { path: 'x', import_url: 'http://169.254.169.254/x.git' }, 400, { message: { import_url: [expect.stringMatching(/^is blocked: /)] } }],
      ['a transport of git’s own', 'root', { path: 'x', import_url: 'ext::sh -c id' }, 400, { message: { import_url: [expect.stringMatching(/^is blocked: /)] } }],
      ['an option for an address', 'root', { path: 'x', import_url: '--upload-pack=id' }, 400, { message: { import_url: [expect.stringMatching(/^is blocked: /)] } }],
    ])('refuses %s', async (_case, who, body, status, expected) => {
      expect(await answer(who, 'POST', '/projects', body)).toEqual([status, expected]);
    }); // prettier-ignore
  });

  describe('who may', () => {
    it.each<[method: string, path: string, body: object | undefined, allowed: Record<string, number>]>([
      ['GET', '/projects/:app', undefined, { nobody: 404, stranger: 404, guest: 200, developer: 200, owner: 200, root: 200 }],
      ['PUT', '/projects/:app', { description: 'd' }, { nobody: 401, stranger: 404, guest: 403, developer: 403, maintainer: 200, root: 200 }],
      ['PUT', '/projects/:app', { name: 'app' }, { maintainer: 403, owner: 200 }],
      ['PUT', '/projects/:app', { visibility: 'private' }, { maintainer: 200, owner: 200 }],
      ['PUT', '/projects/:app', { archived: false }, { maintainer: 403, owner: 200 }],
      ['DELETE', '/projects/:app', undefined, { nobody: 401, stranger: 404, guest: 403, maintainer: 403 }],
      ['GET', '/projects/:app/variables', undefined, { nobody: 401, stranger: 404, guest: 403, developer: 403, maintainer: 200 }],
      ['GET', '/projects/:app/protected_branches', undefined, { nobody: 401, stranger: 404, guest: 403, developer: 403, maintainer: 200 }],
      ['GET', '/projects/:app/protected_tags', undefined, { nobody: 401, stranger: 404, guest: 403, developer: 403, maintainer: 200 }],
      ['POST', '/projects/:app/ci/lint', { content: 'a: {script: x}' }, { nobody: 401, stranger: 404, reporter: 403, developer: 200 }],
      ['GET', '/application/settings', undefined, { nobody: 401, stranger: 403, owner: 403, root: 200 }],
      ['GET', '/namespaces', undefined, { nobody: 401, stranger: 200 }],
    ])('%s %s %j', async (method, path, body, allowed) => {
      const told: Record<string, unknown> = {};
      const expected: Record<string, unknown> = {};
      for (const [name, status] of Object.entries(allowed)) {
        const [actual, said] = await answer(name, method, path, body);
        told[name] = status in refusals ? [actual, said] : actual;
        expected[name] = status in refusals ? [status, refusals[status]] : status;
      }
      expect(told).toEqual(expected);
    }); // prettier-ignore

    it('tells the import URL to those alone who may change it', async () => {
      const { body } = await as('root').call('POST', '/projects', {
        name: 'imported', namespace: 'group', visibility: 'public', default_branch: 'main', import_url: '/srv/git/private.git',
      }); // prettier-ignore
      expect(body.import_url).toBe('/srv/git/private.git');
      for (const name of ['nobody', 'stranger']) {
        const shown = await as(name).call('GET', `/projects/${body.id}`);
        expect([shown.status, shown.body.import_url ?? null]).toEqual([200, null]);
        const [listed] = (await as(name).call('GET', '/projects?search=imported')).body;
        expect([listed.id, listed.import_url ?? null]).toEqual([body.id, null]);
      }
      await as('root').call('DELETE', `/projects/${body.id}`);
    });
  });

  describe('finding', () => {
    it.each(['group%2Fapp', 'GROUP%2FApp', 'group%2Fap%70'])('by %s', async (path) => {
      expect((await as('guest').call('GET', `/projects/${path}`)).body.id).toBe(app);
    });

    it('leads from a former path to the project, and from nowhere else', async () => {
      const { body } = await as('owner').call('POST', '/projects', { path: 'before' });
      const renamed = await as('owner').call('PUT', `/projects/${body.id}`, { path: 'after' });
      expect([renamed.status, renamed.body.path_with_namespace]).toEqual([200, 'owner/after']);
      const moved = await as('owner').call('GET', '/projects/owner%2Fbefore?a=b');
      expect([moved.status, moved.headers.get('location')]).toEqual([
        301,
        `${externalUrl}/api/v4/projects/${body.id}?a=b`,
      ]);
      expect(await answer('owner', 'PUT', '/projects/owner%2Fbefore', { description: 'x' })).toEqual([
        405,
        { message: 'Non GET methods are not allowed for moved projects' },
      ]);
      expect(await answer('stranger', 'GET', '/projects/owner%2Fbefore')).toEqual([404, projectNotFound]);
    });

    it.each<[string, number, object]>([
      ['999999', 404, projectNotFound],
      ['group%2Fnone', 404, projectNotFound],
      ['app', 404, projectNotFound],
      ['0', 404, projectNotFound],
      ['group%2Fapp%00', 400, { error: 'id contains a NUL character' }],
    ])('refuses %s', async (id, status, body) => {
      expect(await answer('root', 'GET', `/projects/${id}`)).toEqual([status, body]);
    });
  });

  describe('listing', () => {
    beforeAll(async () => {
      for (const [name, visibility] of Object.entries({
        'list-a': 'public',
        'list-b': 'internal',
        'list-c': 'private',
      }))
        expect((await as('reporter').call('POST', '/projects', { name, visibility })).status).toBe(201);
    });

    it.each<[string, string, string[]]>([
      ['nobody', 'search=list-', ['list-a']],
      ['stranger', 'search=list-&order_by=name&sort=asc', ['list-a', 'list-b']],
      ['reporter', 'search=list-&order_by=name&sort=desc', ['list-c', 'list-b', 'list-a']],
      ['root', 'search=LIST-&order_by=path&sort=asc', ['list-a', 'list-b', 'list-c']],
      ['reporter', 'search=list-&visibility=private', ['list-c']],
      ['reporter', 'owned=true&order_by=id&sort=asc', ['list-a', 'list-b', 'list-c']],
      ['stranger', 'search=list-&membership=true', []],
      ['reporter', 'membership=true&order_by=name&sort=asc', ['app', 'list-a', 'list-b', 'list-c']],
      ['reporter', 'search=list-&archived=true', []],
      ['reporter', 'search=reporter/list-c', ['list-c']],
    ])('%s, %s', async (who, query, expected) => {
      const { status, body } = await as(who).call('GET', `/projects?${query}`);
      expect([status, body.map(({ name }: { name: string }) => name)]).toEqual([200, expected]);
    });

    it('comes in pages', async () => {
      const { headers, body } = await as('reporter').call(
        'GET',
        '/projects?search=list-&order_by=name&sort=asc&per_page=2',
      );
      expect(body).toHaveLength(2);
      expect([headers.get('x-total'), headers.get('x-total-pages'), headers.get('x-next-page')]).toEqual([
        '3',
        '2',
        '2',
      ]);
    });

    it('is short with simple', async () => {
      const [project] = (await as('reporter').call('GET', '/projects?search=list-a&simple=true')).body;
      expect(project).toMatchObject({ name: 'list-a', path_with_namespace: 'reporter/list-a', default_branch: 'main' });
      expect(project).not.toHaveProperty('permissions');
      expect(project).not.toHaveProperty('ci_config_path');
    });

    it('shows the namespaces that one may use', async () => {
      const paths = async (who: string): Promise<string[]> =>
        (await as(who).call('GET', '/namespaces?per_page=100')).body.map(
          ({ full_path }: { full_path: string }) => full_path,
        );
      expect(await paths('reporter')).toEqual(['reporter']);
      expect(await paths('root')).toEqual(expect.arrayContaining(['group', 'reporter']));
    });
  });

  it('deletes, and everything of the project is gone', async () => {
    const { body } = await as('owner').call('POST', '/projects', { path: 'short-lived' });
    expect(await answer('owner', 'DELETE', `/projects/${body.id}`)).toEqual([202, { message: '202 Accepted' }]);
    expect(await answer('owner', 'GET', `/projects/${body.id}`)).toEqual([404, projectNotFound]);
    expect(await answer('owner', 'GET', '/projects/owner%2Fshort-lived')).toEqual([404, projectNotFound]);
    const again = await as('owner').call('POST', '/projects', { path: 'short-lived' });
    expect(again.status).toBe(201);
    expect(again.body.id).not.toBe(body.id);
    await until('the membership to be gone', async () => {
      const listed = await as('owner').call('GET', '/projects?owned=true&per_page=100');
      return !listed.body.some(({ id }: { id: number }) => id === body.id);
    });
  });

  describe('variables', () => {
    const path = '/projects/:app/variables';
    const plain = {
      variable_type: 'env_var',
      protected: false,
      masked: false,
      hidden: false,
      raw: false,
      environment_scope: '*',
      description: null,
    };

    it('go through their life', async () => {
      expect(await answer('maintainer', 'POST', path, { key: 'TOKEN', value: 'abc' })).toEqual([
        201,
        { ...plain, key: 'TOKEN', value: 'abc' },
      ]);
      expect(await answer('maintainer', 'GET', `${path}/TOKEN`)).toEqual([
        200,
        { ...plain, key: 'TOKEN', value: 'abc' },
      ]);
      const changed = {
        ...plain,
        key: 'TOKEN',
        value: 'abcdefgh',
        masked: true,
        protected: true,
        variable_type: 'file',
        description: 'why',
      };
      const change = { value: 'abcdefgh', masked: true, protected: true, variable_type: 'file', description: 'why' };
      expect(await answer('maintainer', 'PUT', `${path}/TOKEN`, change)).toEqual([200, changed]);
      expect(await answer('maintainer', 'GET', path)).toEqual([200, [changed]]);
      expect(await answer('maintainer', 'DELETE', `${path}/TOKEN`)).toEqual([204, undefined]);
      expect(await answer('maintainer', 'GET', `${path}/TOKEN`)).toEqual([404, { message: '404 Variable Not Found' }]);
    });

    it('never show a hidden value', async () => {
      const hidden = { ...plain, key: 'HIDDEN', value: null, masked: true, hidden: true };
      expect(
        await answer('maintainer', 'POST', path, { key: 'HIDDEN', value: 'hunter2hunter2', masked_and_hidden: true }),
      ).toEqual([201, hidden]);
      expect(await answer('maintainer', 'GET', `${path}/HIDDEN`)).toEqual([200, hidden]);
      expect(await answer('maintainer', 'PUT', `${path}/HIDDEN`, { masked: false })).toEqual([
        400,
        { message: { base: ['The visibility setting cannot be changed for masked and hidden variables.'] } },
      ]);
      await answer('maintainer', 'DELETE', `${path}/HIDDEN`);
    });

    it('of one key are told apart by their scope', async () => {
      for (const environment_scope of ['*', 'production'])
        await answer('maintainer', 'POST', path, { key: 'SCOPED', value: environment_scope, environment_scope });
      expect(await answer('maintainer', 'GET', `${path}/SCOPED`)).toEqual([
        409,
        { message: "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'" },
      ]);
      const production = { ...plain, key: 'SCOPED', value: 'production', environment_scope: 'production' };
      expect(await answer('maintainer', 'GET', `${path}/SCOPED?filter[environment_scope]=production`)).toEqual([
        200,
        production,
      ]);
      expect(await answer('maintainer', 'DELETE', `${path}/SCOPED?filter[environment_scope]=production`)).toEqual([
        204,
        undefined,
      ]);
      expect(await answer('maintainer', 'GET', `${path}/SCOPED`)).toEqual([
        200,
        { ...plain, key: 'SCOPED', value: '*' },
      ]);
    });

    it.each<[string, object, object]>([
      ['without a key and value', {}, { error: 'key is missing, key is empty, value is missing' }],
      ['a bad key', { key: 'A-B', value: 'x' }, { message: { key: ["can contain only letters, digits and '_'."] } }],
      ['a long key', { key: 'A'.repeat(256), value: 'x' }, { message: { key: ['is too long (maximum is 255 characters)'] } }],
      ['a key that is taken', { key: 'SCOPED', value: 'x' }, { message: { key: ['(SCOPED) has already been taken'] } }],
      ['a short masked value', { key: 'M', value: 'short', masked: true }, { message: { value: ['is invalid'] } }],
      ['a masked value of two lines', { key: 'M', value: 'one line\nanother', masked: true, raw: true }, { message: { value: ['is invalid'] } }],
      ['a masked value that would be expanded', { key: 'M', value: 'abc$defgh', masked: true }, { message: { value: ['is invalid'] } }],
      ['a value that is too long', { key: 'M', value: 'x'.repeat(10_001) }, { message: { value: ['is too long (maximum is 10000 characters)'] } }],
      ['an unknown type', { key: 'M', value: 'x', variable_type: 'secret' }, { error: 'variable_type does not have a valid value' }],
    ])('are refused: %s', async (_case, body, expected) => {
      expect(await answer('maintainer', 'POST', path, body)).toEqual([400, expected]);
    }); // prettier-ignore
  });

  describe('protected branches and tags', () => {
    const maintainers = [{ access_level: 40, access_level_description: 'Maintainers' }];
    const developers = [{ access_level: 30, access_level_description: 'Developers + Maintainers' }];

    it('branches go through their life', async () => {
      const path = '/projects/:app/protected_branches';
      const release = {
        id: expect.any(Number),
        name: 'release/*',
        push_access_levels: maintainers,
        merge_access_levels: developers,
        allow_force_push: false,
      };
      expect(await answer('maintainer', 'POST', path, { name: 'release/*', merge_access_level: 30 })).toEqual([
        201,
        release,
      ]);
      expect(await answer('maintainer', 'POST', path, { name: 'release/*' })).toEqual([
        409,
        { message: "Protected branch 'release/*' already exists" },
      ]);
      expect(await answer('maintainer', 'GET', path)).toEqual([200, [release]]);
      expect(await answer('maintainer', 'GET', `${path}/release%2F*`)).toEqual([200, release]);
      expect(await answer('maintainer', 'DELETE', `${path}/release%2F*`)).toEqual([204, undefined]);
      expect(await answer('maintainer', 'GET', `${path}/release%2F*`)).toEqual([404, { message: '404 Not found' }]);
      expect(await answer('maintainer', 'POST', path, {})).toEqual([400, { error: 'name is missing, name is empty' }]);
      expect(await answer('maintainer', 'POST', path, { name: 'x', push_access_level: 35 })).toEqual([
        400,
        { error: 'push_access_level does not have a valid value' },
      ]);
    });

    it('tags go through their life', async () => {
      const path = '/projects/:app/protected_tags';
      const tag = { name: 'v*', create_access_levels: developers };
      expect(await answer('maintainer', 'POST', path, { name: 'v*', create_access_level: 30 })).toEqual([201, tag]);
      expect(await answer('maintainer', 'POST', path, { name: 'v*' })).toEqual([
        409,
        { message: "Protected tag 'v*' already exists" },
      ]);
      expect(await answer('maintainer', 'GET', path)).toEqual([200, [tag]]);
      expect(await answer('maintainer', 'GET', `${path}/v*`)).toEqual([200, tag]);
      expect(await answer('maintainer', 'DELETE', `${path}/v*`)).toEqual([204, undefined]);
      expect(await answer('maintainer', 'DELETE', `${path}/v*`)).toEqual([404, { message: '404 Not found' }]);
    });
  });

  it('settings are shown and changed by administrators', async () => {
    const settings = {
      pipeline_limit_per_project_user_sha: 0,
      project_jobs_api_rate_limit: 600,
      allow_runner_registration_token: false,
    };
    expect(await answer('root', 'GET', '/application/settings')).toEqual([200, settings]);
    const changed = { ...settings, pipeline_limit_per_project_user_sha: 7 };
    expect(
      await answer('root', 'PUT', '/application/settings', { pipeline_limit_per_project_user_sha: 7, unknown: 1 }),
    ).toEqual([200, changed]);
    expect(await answer('root', 'PUT', '/application/settings?pipeline_limit_per_project_user_sha=0')).toEqual([
      200,
      settings,
    ]);
    for (const value of [-1, 2_147_483_648])
      expect(await answer('root', 'PUT', '/application/settings', { project_jobs_api_rate_limit: value })).toEqual([
        400,
        { error: 'project_jobs_api_rate_limit does not have a valid value' },
      ]);
  });

  describe('CI lint', () => {
    let linted = 0;
    let sha = '';

    beforeAll(async () => {
      const repository = await TestRepository.create(join(flagfall.installation.repositories, 'linted'));
      sha = await repository.commit({ '.gitlab-ci.yml': 'old:\n  script: echo old\n' });
      await repository.commit({ '.gitlab-ci.yml': 'build:\n  script: [make]\n  rules:\n    - if: $CI_COMMIT_TAG\n' });
      const { body } = await as('developer').call('POST', '/projects', {
        name: 'linted',
        import_url: join(flagfall.installation.repositories, 'linted'),
      });
      linted = body.id;
    });

    const lint = async (method: string, query: string, body?: object) =>
      (await as('developer').call(method, `/projects/${linted}/ci/lint${query}`, body)).body;

    it('says that a text is right, and shows its jobs when asked', async () => {
      const content = 'test:\n  script: echo hi\n  when: manual\n';
      const answered = await lint('POST', '', { content, include_jobs: true });
      expect(answered).toMatchObject({ valid: true, errors: [], warnings: [], includes: [] });
      expect(answered.merged_yaml).toContain('test:');
      expect(answered.jobs).toEqual([
        expect.objectContaining({ name: 'test', stage: 'test', script: ['echo hi'], when: 'manual' }),
      ]);
      expect(await lint('POST', '', { content })).not.toHaveProperty('jobs');
    });

    it('says what is wrong with a text', async () => {
      expect(await lint('POST', '', { content: 'test:\n  stage: nowhere\n  script: x\n' })).toMatchObject({
        valid: false,
        errors: [expect.stringContaining('test job: chosen stage nowhere does not exist')],
      });
      expect((await lint('POST', '', { content: 'a: [' })).valid).toBe(false);
      expect(await answer('developer', 'POST', `/projects/${linted}/ci/lint`, {})).toEqual([
        400,
        { error: 'content is missing' },
      ]);
    });

    it('checks the file of the project, at a branch or at a commit', async () => {
      expect(await lint('GET', '?include_jobs=true')).toMatchObject({ valid: true, jobs: [{ name: 'build' }] });
      expect(await lint('GET', '?content_ref=main&include_jobs=true')).toMatchObject({
        valid: true,
        jobs: [{ name: 'build' }],
      });
      for (const name of ['content_ref', 'sha'])
        expect(await lint('GET', `?${name}=${sha}&include_jobs=true`)).toMatchObject({
          valid: true,
          jobs: [{ name: 'old' }],
        });
      expect(await lint('GET', '?content_ref=nowhere')).toMatchObject({
        valid: false,
        errors: ['Reference not found'],
      });
    });

    it('evaluates rules in a dry run', async () => {
      expect(await lint('GET', '?dry_run=true&include_jobs=true')).toMatchObject({
        valid: false,
        errors: ['The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.'],
      });
    });

    it('checks a text for a project without a repository', async () => {
      expect(await answer('developer', 'POST', '/projects/:app/ci/lint', { content: 'a:\n  script: x\n' })).toEqual([
        200,
        { valid: true, errors: [], warnings: [], merged_yaml: expect.any(String), includes: [] },
      ]);
    });
  });
});
