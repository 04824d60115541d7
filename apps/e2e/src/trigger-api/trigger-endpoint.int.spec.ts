// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';
import { type Case, having, runTable, type Values } from '../testing/table.js';

const flagfall = startsFlagfall({ name: 'trigger_endpoint' });
let app: Project;
let trigger: Trigger;
const values: Values = {};
const running = { flagfall, values };

const config = `build: {script: [make]}
package: {stage: deploy, script: [make package]}
`;

/** One project with refs of every kind, people of every level, and a trigger of each of them. */
beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  const { repository } = app;
  const branch = async (name: string, file?: string | null, message = 'Change'): Promise<void> => {
    await repository.git('checkout', '--quiet', '-b', name, 'main');
    if (file === null) await repository.git('rm', '--quiet', '.gitlab-ci.yml');
    await repository.commit(file ? { '.gitlab-ci.yml': file } : {}, message);
  };
  await branch('feature/x');
  await branch('v.1-branch');
  await branch('dup');
  await branch('release');
  await branch('deadbee');
  await branch('skipped', undefined, 'Nothing to build [skip ci]');
  await branch('without-file', null);
  await branch('not-yaml', 'build: [');
  await branch('not-text', 'build: {script: ["a\\0b"]}');
  await branch('not-valid', 'build: {script: [make], stage: nowhere}');
  await branch('only-for-tags', 'build: {script: [make], only: [tags]}');
  await branch('never', 'workflow: {rules: [{when: never}]}\nbuild: {script: [make]}');
  await branch('only-around', 'before: {stage: .pre, script: [make]}');
  await branch('for-others', 'build: {script: [make], except: [triggers]}');
  await branch('trunk/trigger/pipeline');
  await repository.git('tag', 'v1.0', 'main');
  await repository.git('tag', 'dup', 'main');
  await repository.git('tag', 'of-a-tree', 'main^{tree}');
  await repository.git('tag', '--annotate', '--message', 'First', 'v1.1', 'main');
  await repository.git('checkout', '--quiet', 'main');
  values['sha'] = await repository.git('rev-parse', 'main');
  values['short_sha'] = String(values['sha']).slice(0, 8);

  const people = {
    maintainer: await flagfall.newUser('maintainer'),
    demoted: await flagfall.newUser('demoted'),
    removed: await flagfall.newUser('removed'),
    blocked: await flagfall.newUser('blocked'),
    former: await flagfall.newUser('former'),
    developer: await flagfall.newUser('developer'),
  };
  for (const person of Object.values(people)) await flagfall.join(app, person, 40);
  trigger = await flagfall.newTrigger(app, people.maintainer);
  const tokenOf = async (person: { token: string }, more: object = {}) =>
    (await flagfall.newTrigger(app, person, more)).token;
  Object.assign(values, {
    app: app.id,
    path: encodeURIComponent(app.path),
    token: trigger.token,
    token_of_demoted: await tokenOf(people.demoted),
    token_of_removed: await tokenOf(people.removed),
    token_of_blocked: await tokenOf(people.blocked),
    token_of_developer: await tokenOf(people.developer),
    expired: await tokenOf(people.maintainer, { expires_at: '2020-01-01' }),
    maintainer: people.maintainer.token,
  });
  const revoked = await flagfall.newTrigger(app, people.maintainer);
  values['revoked'] = revoked.token;
  await flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/triggers/${revoked.id}` });
  const other = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  values['other'] = other.id;
  values['token_of_other'] = (await flagfall.newTrigger(other)).token;

  const members = `/projects/${app.id}/members`;
  await flagfall.root({ method: 'PUT', path: `${members}/${people.demoted.id}`, json: { access_level: 20 } });
  await flagfall.root({ method: 'PUT', path: `${members}/${people.developer.id}`, json: { access_level: 30 } });
  await flagfall.root({ method: 'DELETE', path: `${members}/${people.removed.id}` });
  await flagfall.root({ method: 'POST', path: `/users/${people.blocked.id}/block` });
  await flagfall.root({
    method: 'POST',
    path: `/projects/${app.id}/protected_branches`,
    json: { name: 'release', push_access_level: 40, merge_access_level: 40 },
  });

  const settings = {
    switched_off: { builds_access_level: 'disabled' },
    strict: { ci_pipeline_variables_minimum_override_role: 'no_one_allowed' },
  };
  for (const [state, json] of Object.entries(settings)) {
    const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    const { token } = await flagfall.newTrigger(project);
    await flagfall.root({ method: 'PUT', path: `/projects/${project.id}`, json });
    Object.assign(values, { [state]: project.id, [`token_of_${state}`]: token });
  }
  const empty = await flagfall.newProject({});
  values['without_repository'] = empty.id;
  values['token_of_without_repository'] = (await flagfall.newTrigger(empty)).token;
  const moved = await flagfall.newProject({ files: { '.gitlab-ci.yml': config }, path: 'before' });
  const { token } = await flagfall.newTrigger(moved);
  await flagfall.root({ method: 'PUT', path: `/projects/${moved.id}`, json: { path: 'after' } });
  Object.assign(values, { moved: moved.id, token_of_moved: token });
});

const url = '/projects/<app>/trigger/pipeline';
const json = { 'Content-Type': 'application/json' };
const ok: [string, string][] = [
  ['token', '<token>'],
  ['ref', 'main'],
];
const base = (text: string) => ({ message: { base: [text] } });
const notFound = { message: '404 Not Found' };
const created = (fields: object = {}) => having({ source: 'trigger', ...fields });
const post = (name: string, call: Partial<Case['call']>, status: number, body?: unknown): Case => ({
  name,
  call: { method: 'POST', path: url, ...call },
  status,
  body,
});

describe('§0.2 where parameters may be given', () => {
  runTable(
    [
      post('query', { path: `${url}?token=<token>&ref=main` }, 201, created()),
      post('urlencoded', { form: ok }, 201, created()),
      post('multipart', { multipart: ok }, 201, created()),
      post('JSON', { json: { token: '<token>', ref: 'main' } }, 201, created()),
      post('query and urlencoded mixed', { path: `${url}?token=<token>`, form: [['ref', 'main']] }, 201, created()),
      post('query and multipart mixed', { path: `${url}?token=<token>`, multipart: [['ref', 'main']] }, 201, created()),
      post('query and JSON mixed', { path: `${url}?token=<token>`, json: { ref: 'main' } }, 201, created()),
      post(
        'the body beats the query',
        { path: `${url}?token=<token>&ref=gone`, form: [['ref', 'main']] },
        201,
        created(),
      ),
      post('JSON beats the query', { path: `${url}?token=<token>&ref=gone`, json: { ref: 'main' } }, 201, created()),
      post('an id in the body does not beat the path', { form: [...ok, ['id', '<other>']] }, 201, created()),
      post(
        'JSON with a charset',
        { headers: { 'Content-Type': 'application/json; charset=utf-8' }, raw: '{"token":"<token>","ref":"main"}' },
        201,
        created(),
      ),
      post('JSON without a body is no parameters', { headers: json, raw: '' }, 400, {
        error: 'ref is missing, ref is empty, token is missing',
      }),
      post(
        'unknown parameters are ignored',
        { form: [...ok, ['nonsense', '1'], ['object_kind', 'push']] },
        201,
        created(),
      ),
      post('JSON that is none', { headers: json, raw: '{"token":' }, 400, { error: expect.any(String) }),
      post('JSON that is a list', { headers: json, raw: '[1]' }, 400, { error: expect.any(String) }),
      post('a content type nobody reads', { headers: { 'Content-Type': 'application/xml' }, raw: '<a/>' }, 415, {
        error: expect.any(String),
      }),
      post('a URL with a bare percent sign', { path: `${url}?token=<token>&ref=main&variables[A]=100%` }, 400, {
        error: 'The URL is not properly percent-encoded',
      }),
      post('a URL that is no UTF-8', { path: `${url}?token=<token>&ref=main&variables[A]=%ff` }, 400, {
        error: 'The URL is not properly percent-encoded',
      }),
      post(
        'half a character',
        { headers: json, raw: '{"token":"<token>","ref":"main","variables":{"A":"\\ud83d"}}' },
        400,
        {
          error: 'variables is not valid Unicode',
        },
      ),
      post('a NUL character', { json: { token: '<token>', ref: 'main\0' } }, 400, {
        error: 'ref contains a NUL character',
      }),
      post(
        'a key made to do harm',
        { headers: json, raw: '{"token":"<token>","ref":"main","variables":{"__proto__":"x"}}' },
        400,
        { error: expect.any(String) },
      ),
    ],
    running,
  );
});

describe('§1.1 parameters', () => {
  runTable(
    [
      post('nothing', {}, 400, { error: 'ref is missing, ref is empty, token is missing' }),
      post('no ref', { form: [['token', '<token>']] }, 400, { error: 'ref is missing, ref is empty' }),
      post('no token', { form: [['ref', 'main']] }, 400, { error: 'token is missing' }),
      post(
        'blank ref',
        {
          form: [
            ['token', '<token>'],
            ['ref', ''],
          ],
        },
        400,
        { error: 'ref is empty' },
      ),
      post(
        'white ref',
        {
          form: [
            ['token', '<token>'],
            ['ref', '  '],
          ],
        },
        400,
        { error: 'ref is empty' },
      ),
      post('a ref of null', { json: { token: '<token>', ref: null } }, 400, { error: 'ref is empty' }),
      post('a ref that is a map', { json: { token: '<token>', ref: { a: 1 } } }, 400, { error: 'ref is invalid' }),
      post('a token that is a list', { json: { token: ['<token>'], ref: 'main' } }, 400, { error: 'token is invalid' }),
      post(
        'a blank token is no fault, but nobody’s',
        {
          form: [
            ['token', ''],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
      post('the token as a header is none', { form: [['ref', 'main']], headers: { 'PRIVATE-TOKEN': '<token>' } }, 400, {
        error: 'token is missing',
      }),
      post(
        'a bad PRIVATE-TOKEN beside it changes nothing',
        { form: ok, headers: { 'PRIVATE-TOKEN': 'glpat-nonsense' } },
        201,
        created(),
      ),
      post(
        'a bad Authorization beside it changes nothing',
        { form: ok, headers: { Authorization: 'Bearer nonsense' } },
        201,
        created(),
      ),
      post(
        'a bad JOB-TOKEN beside it changes nothing',
        { form: ok, headers: { 'JOB-TOKEN': 'nonsense' } },
        201,
        created(),
      ),
      post('variables that are text', { form: [...ok, ['variables', 'value']] }, 400, {
        error: 'variables is invalid',
      }),
      post('variables that are a list, as a form', { form: [...ok, ['variables[]', 'x']] }, 400, {
        error: 'variables is invalid',
      }),
      post('variables that are a list, as JSON', { json: { token: '<token>', ref: 'main', variables: ['x'] } }, 400, {
        error: 'variables is invalid',
      }),
      post('variables that are null', { json: { token: '<token>', ref: 'main', variables: null } }, 201, created()),
      post(
        'empty variables and inputs, as python-gitlab sends them',
        { json: { token: '<token>', ref: 'main', variables: {}, inputs: {} } },
        201,
        created(),
      ),
      post('inputs that are no map', { json: { token: '<token>', ref: 'main', inputs: 'x' } }, 400, {
        error: 'inputs is invalid',
      }),
      post(
        'an input that no configuration declares',
        { json: { token: '<token>', ref: 'main', inputs: { x: 1 } } },
        422,
        base('unknown input arguments: x'),
      ),
      post('faults are told in the order of declaration', { json: { variables: 1, inputs: 2 } }, 400, {
        error: 'ref is missing, ref is empty, token is missing, variables is invalid, inputs is invalid',
      }),
    ],
    running,
  );
});

describe('§1.2 the ref in the URL', () => {
  const ref = (name: string, written: string, shown: string, more: Partial<Case['call']> = {}) =>
    post(
      name,
      { path: `/projects/<app>/ref/${written}/trigger/pipeline?token=<token>`, ...more },
      201,
      created({ ref: shown }),
    );
  runTable(
    [
      ref('a plain name', 'main', 'main'),
      ref('a slash, encoded', 'feature%2Fx', 'feature/x'),
      ref('a slash as it is', 'feature/x', 'feature/x'),
      ref('a dot', 'v.1-branch', 'v.1-branch'),
      ref('a name that ends like the URL', 'trunk/trigger/pipeline', 'trunk/trigger/pipeline'),
      ref('a full name, encoded', 'refs%2Fheads%2Fmain', 'main'),
      ref('a full name as it is', 'refs/tags/v1.0', 'v1.0'),
      ref('beats the ref of the body', 'main', 'main', { json: { ref: 'refs/heads/dev' } }),
      ref('beats the ref of a form', 'main', 'main', { form: [['ref', 'gone']] }),
      post(
        'beats the ref of the query',
        { path: '/projects/<app>/ref/main/trigger/pipeline?token=<token>&ref=gone' },
        201,
        created({ ref: 'main' }),
      ),
      post(
        'and still must exist',
        { path: '/projects/<app>/ref/gone/trigger/pipeline?token=<token>' },
        400,
        base('Reference not found'),
      ),
      post('bad percent-encoding', { path: '/projects/<app>/ref/%E0%A4%A/trigger/pipeline?token=<token>' }, 400, {
        error: expect.any(String),
      }),
    ],
    running,
  );
});

describe('§1.3 the order of checks', () => {
  const hook = { 'X-Gitlab-Event': 'Pipeline Hook' };
  runTable(
    [
      post('faults of parameters come before the loop guard', { headers: hook }, 400, {
        error: 'ref is missing, ref is empty, token is missing',
      }),
      post('the loop guard', { form: ok, headers: hook }, 403, { message: '403 Forbidden' }),
      post(
        'the loop guard comes before the token',
        {
          form: [
            ['token', 'wrong'],
            ['ref', 'main'],
          ],
          headers: hook,
        },
        403,
        { message: '403 Forbidden' },
      ),
      post(
        'the loop guard comes before the project',
        { path: '/projects/0/trigger/pipeline', form: ok, headers: hook },
        403,
        { message: '403 Forbidden' },
      ),
      post('other events are let through', { form: ok, headers: { 'X-Gitlab-Event': 'Push Hook' } }, 201, created()),
      post('system hooks too', { form: ok, headers: { 'X-Gitlab-Event': 'System Hook' } }, 201, created()),
      post(
        'the guard looks at the whole word',
        { form: ok, headers: { 'X-Gitlab-Event': 'pipeline hook' } },
        201,
        created(),
      ),
      ...['1', 'true', 'null', '["x"]', '{"a":"b"}'].map((value) =>
        post(
          `a variable that is ${value}`,
          { headers: json, raw: `{"token":"wrong","ref":"main","variables":{"N":${value}}}` },
          400,
          {
            message: 'variables needs to be a map of key-valued strings',
          },
        ),
      ),
      post('a variable that is a map, in a form', { form: [...ok, ['variables[A][b]', '1']] }, 400, {
        message: 'variables needs to be a map of key-valued strings',
      }),
      post('an unknown project', { path: '/projects/987654321/trigger/pipeline', form: ok }, 404, notFound),
      post('an unknown path', { path: '/projects/group%2Fnothing/trigger/pipeline', form: ok }, 404, notFound),
      post('a name that is no path', { path: '/projects/app1/trigger/pipeline', form: ok }, 404, notFound),
      post(
        'the project by its path',
        { path: '/projects/<path>/trigger/pipeline', form: ok },
        201,
        created({ web_url: expect.stringContaining('/group/app1/') }),
      ),
      post(
        'the project by its path with dots encoded',
        { path: '/projects/group%2Fapp1/trigger/pipeline', form: ok },
        201,
        created(),
      ),
      post(
        'a former path is executed',
        {
          path: '/projects/group%2Fbefore/trigger/pipeline',
          form: [
            ['token', '<token_of_moved>'],
            ['ref', 'main'],
          ],
        },
        201,
        created(),
      ),
      post(
        'an unknown token',
        {
          form: [
            ['token', 'glptt-0000'],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
      post(
        'a token of another project',
        {
          form: [
            ['token', '<token_of_other>'],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
      post(
        'an expired token',
        {
          form: [
            ['token', '<expired>'],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
      post(
        'a revoked token',
        {
          form: [
            ['token', '<revoked>'],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
      post(
        'an access token is no trigger token',
        {
          form: [
            ['token', '<maintainer>'],
            ['ref', 'main'],
          ],
        },
        404,
        notFound,
      ),
    ],
    running,
  );
});

describe('§1.6 checks of the creation', () => {
  const by = (token: string, ref = 'main', project = '<app>'): Partial<Case['call']> => ({
    path: `/projects/${project}/trigger/pipeline`,
    form: [
      ['token', token],
      ['ref', ref],
    ],
  });
  const noRights = base('Insufficient permissions to create a new pipeline');
  const on = (name: string, ref: string, status: number, body: unknown) => post(name, by('<token>', ref), status, body);
  runTable(
    [
      post(
        '#2 CI/CD switched off',
        by('<token_of_switched_off>', 'main', '<switched_off>'),
        400,
        base('Pipelines are disabled!'),
      ),
      post('#3 an owner below Developer', by('<token_of_demoted>'), 400, noRights),
      post('#3 and does not learn whether a ref exists', by('<token_of_demoted>', 'gone'), 400, noRights),
      post('#3 an owner who is no member any more', by('<token_of_removed>'), 400, noRights),
      post('#3 a blocked owner', by('<token_of_blocked>'), 400, noRights),
      post('an owner who is a Developer', by('<token_of_developer>'), 201, created()),
      post(
        '#4 a protected branch',
        by('<token_of_developer>', 'release'),
        400,
        base(
          "You do not have sufficient permission to run a pipeline on 'release'. Please select a different branch or contact your administrator for assistance. Learn more",
        ),
      ),
      on('a protected branch, for who may push', 'release', 201, created({ ref: 'release' })),
      on('#5 a name that is a branch and a tag', 'dup', 400, base('Ref is ambiguous')),
      on('of the two, the branch', 'refs/heads/dup', 201, created({ ref: 'dup', tag: false })),
      on('of the two, the tag', 'refs/tags/dup', 201, created({ ref: 'dup', tag: true })),
      on('#6 no such ref', 'gone', 400, base('Reference not found')),
      on('a commit', '<sha>', 400, base('Reference not found')),
      on('the beginning of a commit', '<short_sha>', 400, base('Reference not found')),
      on('a branch that looks like the beginning of a commit', 'deadbee', 201, created({ ref: 'deadbee' })),
      on('#7 a tag of what is no commit', 'of-a-tree', 400, base('Commit not found')),
      on('HEAD', 'HEAD', 400, base('Reference not found')),
      on('a revision', 'main~1', 400, base('Reference not found')),
      on('half a full name', 'heads/main', 400, base('Reference not found')),
      on('a merge request', 'refs/merge-requests/1/head', 400, base('Reference not found')),
      on('an option of git', '--upload-pack=touch', 400, base('Reference not found')),
      on('a pattern', 'ma*', 400, base('Reference not found')),
      on('a tag', 'v1.0', 201, created({ ref: 'v1.0', tag: true, sha: '<sha>' })),
      on('a tag with a message stands for its commit', 'v1.1', 201, created({ ref: 'v1.1', tag: true, sha: '<sha>' })),
      on('a branch, by its full name', 'refs/heads/main', 201, created({ ref: 'main', tag: false, sha: '<sha>' })),
      post(
        '#8 nobody may set variables',
        by('<token_of_strict>', 'main', '<strict>'),
        400,
        base('Insufficient permissions to set pipeline variables'),
      ),
      on('#11 [skip ci] does not count', 'skipped', 201, created({ ref: 'skipped' })),
      on('#12 no configuration', 'without-file', 400, base('Missing CI config file')),
      on('#13 no YAML', 'not-yaml', 422, base(expect.any(String) as unknown as string)),
      on(
        '#13 a text that cannot be stored',
        'not-text',
        422,
        base(expect.stringContaining('invalid Unicode character escape code') as unknown as string),
      ),
      on(
        '#13 not valid',
        'not-valid',
        422,
        base('build job: chosen stage nowhere does not exist; available stages are .pre, build, test, deploy, .post'),
      ),
      on(
        '#14 workflow:rules',
        'never',
        400,
        base('The pipeline did not run. Review the workflow:rules configuration for the pipeline.'),
      ),
      on(
        '#17 only: tags',
        'only-for-tags',
        400,
        base('The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.'),
      ),
      on(
        '#17 except: triggers',
        'for-others',
        400,
        base('The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.'),
      ),
      on(
        '#17 nothing but .pre',
        'only-around',
        400,
        base('The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.'),
      ),
      post(
        'a project without a repository',
        by('<token_of_without_repository>', 'main', '<without_repository>'),
        400,
        base('Reference not found'),
      ),
    ],
    running,
  );

  it('what leaves a failed pipeline says why; what has nothing to run leaves none', async () => {
    const failed = await flagfall.root({ path: `/projects/${app.id}/pipelines?ref=not-valid` });
    expect(failed).toEqual([expect.objectContaining({ status: 'failed', source: 'trigger' })]);
    const shown = await flagfall.root({ path: `/projects/${app.id}/pipelines/${failed[0].id}` });
    expect(shown.yaml_errors).toMatch('chosen stage nowhere does not exist');
    for (const ref of ['never', 'only-for-tags', 'without-file', 'gone'])
      expect(await flagfall.root({ path: `/projects/${app.id}/pipelines?ref=${ref}` })).toEqual([]);
  });
});

describe('§1.4 variables and §1.5 TRIGGER_PAYLOAD', () => {
  const stored = async (pipeline: { id: number }) =>
    (await flagfall.root({ path: `/projects/${app.id}/pipelines/${pipeline.id}/variables` })) as {
      key: string;
      value: string;
      variable_type: string;
    }[];

  it('variables are stored in the order of the request, the payload last', async () => {
    const pipeline = await flagfall.trigger(trigger, 'main', { ZULU: '1', ALPHA: '', WITH: 'a=b&c', DOLLAR: '$ALPHA' });
    const variables = await stored(pipeline);
    expect(
      variables.map(({ key, value, variable_type }) => [key, variable_type === 'file' ? 'payload' : value]),
    ).toEqual([
      ['ZULU', '1'],
      ['ALPHA', ''],
      ['WITH', 'a=b&c'],
      ['DOLLAR', '$ALPHA'],
      ['TRIGGER_PAYLOAD', 'payload'],
    ]);
  });

  it('the payload of a form is GitLab’s verified example, to the byte', async () => {
    const pipeline = await flagfall.trigger(trigger);
    expect(await stored(pipeline)).toEqual([
      {
        key: 'TRIGGER_PAYLOAD',
        variable_type: 'file',
        raw: false,
        value: `{"ref":"main","id":"${app.id}","variables":{}}`,
      },
    ]);
  });

  it('the payload of a webhook holds the URL’s ref, the event, and no token', async () => {
    const pipeline = await flagfall.must({
      method: 'POST',
      path: `/projects/${app.id}/ref/main/trigger/pipeline?token=${trigger.token}&variables[UPLOAD_TO_S3]=true&private_token=secret&job_token=secret`,
      headers: { 'X-Gitlab-Event': 'Push Hook' },
      json: { object_kind: 'push', ref: 'refs/heads/dev', commits: [{ id: 'a', added: ['ä'] }] },
    });
    const payload = (await stored(pipeline)).at(-1)?.value ?? '';
    expect(payload).not.toContain(trigger.token);
    expect(payload).not.toContain('secret');
    expect(JSON.parse(payload)).toEqual({
      variables: { UPLOAD_TO_S3: 'true' },
      object_kind: 'push',
      ref: 'main',
      id: String(app.id),
      commits: [{ id: 'a', added: ['ä'] }],
    });
  });

  it('the payload of a call by path says the path', async () => {
    const pipeline = await flagfall.must({
      method: 'POST',
      path: `/projects/${encodeURIComponent(app.path)}/trigger/pipeline`,
      json: { token: trigger.token, ref: 'main' },
    });
    expect(JSON.parse((await stored(pipeline)).at(-1)?.value ?? '')).toMatchObject({ id: app.path });
  });

  it('what no message could carry is refused, and starts nothing', async () => {
    const form = { path: `/projects/${app.id}/pipelines?per_page=1` };
    const [newest] = await flagfall.root(form);
    const { status, body } = await flagfall.call({
      method: 'POST',
      path: `/projects/${app.id}/trigger/pipeline`,
      json: { token: trigger.token, ref: 'main', variables: { LARGE: 'x'.repeat(8_000_000) } },
    });
    expect([status, body]).toEqual([413, { error: expect.stringContaining('larger than 14680064 bytes') }]);
    expect((await flagfall.root(form))[0].id).toBe(newest.id);
  });

  it('a large push event is no trouble', async () => {
    const commits = Array.from({ length: 20_000 }, (_, index) => ({ id: String(index), message: 'x'.repeat(80) }));
    const pipeline = await flagfall.must({
      method: 'POST',
      path: `/projects/${app.id}/ref/main/trigger/pipeline?token=${trigger.token}`,
      json: { object_kind: 'push', commits },
    });
    expect(JSON.parse((await stored(pipeline)).at(-1)?.value ?? '').commits).toHaveLength(20_000);
  });

  const numbered = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x']));
  const repeated = base('Duplicate variable name: TRIGGER_PAYLOAD');
  const wrongName = base('Failed to build the pipeline!');
  runTable(
    [
      post('a variable of the payload’s name', { form: [...ok, ['variables[TRIGGER_PAYLOAD]', 'x']] }, 422, repeated),
      post(
        'a bad name is only found out when all else is well',
        {
          form: [
            ['token', '<token>'],
            ['ref', 'without-file'],
            ['variables[A-B]', 'x'],
          ],
        },
        400,
        base('Missing CI config file'),
      ),
      post('a name with a dash', { form: [...ok, ['variables[A-B]', 'x']] }, 400, wrongName),
      post('an empty name', { json: { token: '<token>', ref: 'main', variables: { '': 'x' } } }, 400, wrongName),
      post(
        'a name that is too long',
        { json: { token: '<token>', ref: 'main', variables: { ['A'.repeat(256)]: 'x' } } },
        400,
        wrongName,
      ),
      post(
        'the longest name',
        { json: { token: '<token>', ref: 'main', variables: { ['A'.repeat(255)]: 'x' } } },
        201,
        created(),
      ),
      post(
        'more variables than anybody has',
        { json: { token: '<token>', ref: 'main', variables: numbered(4097) } },
        400,
        { error: 'variables has more than 4096 entries' },
      ),
      post(
        'a thousand of them',
        { json: { token: '<token>', ref: 'main', variables: numbered(1000) } },
        201,
        created(),
      ),
      post('a name that is a number', { form: [...ok, ['variables[7]', 'x']] }, 201, created()),
      post('a name that JavaScript knows', { form: [...ok, ['variables[constructor]', 'x']] }, 201, created()),
      post(
        'names that differ in case',
        { form: [...ok, ['variables[a]', '1'], ['variables[A]', '2']] },
        201,
        created(),
      ),
    ],
    running,
  );
});

describe('§1.8 the answer', () => {
  it('is GitLab’s pipeline, field by field in its order', async () => {
    const pipeline = await flagfall.trigger(trigger);
    expect(Object.keys(pipeline).join(' ')).toBe(
      'id iid project_id sha ref status source created_at updated_at web_url before_sha tag yaml_errors user started_at finished_at ' +
        'committed_at duration queued_duration coverage detailed_status archived',
    );
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(pipeline).toMatchObject({
      project_id: app.id,
      sha: values['sha'],
      before_sha: '0'.repeat(40),
      status: expect.stringMatching(/^(created|pending)$/),
      created_at: time,
      updated_at: time,
      web_url: `${flagfall.url}/${app.path}/-/pipelines/${pipeline.id}`,
      user: { username: 'maintainer', web_url: `${flagfall.url}/maintainer` },
      started_at: null,
      finished_at: null,
      committed_at: null,
      duration: null,
      queued_duration: null,
      coverage: null,
      yaml_errors: null,
      detailed_status: {
        details_path: `/${app.path}/-/pipelines/${pipeline.id}`,
        has_details: true,
        illustration: null,
      },
    });
  });

  it('comes when the jobs are there, and moves "last used"', async () => {
    const pipeline = await flagfall.trigger(trigger);
    const jobs = await flagfall.root({ path: `/projects/${app.id}/pipelines/${pipeline.id}/jobs` });
    expect(jobs.map(({ name, stage, status }: Record<string, string>) => [name, stage, status])).toEqual([
      ['package', 'deploy', 'created'],
      ['build', 'test', 'pending'],
    ]);
    await until('the trigger was last used then', async () => {
      const { last_used } = await flagfall.root({ path: `/projects/${app.id}/triggers/${trigger.id}` });
      return last_used === pipeline.created_at;
    });
  });

  it('is 202 for those who do not want to wait, with a URL that tells the outcome', async () => {
    const answer = await flagfall.call({
      method: 'POST',
      path: `/projects/${app.id}/trigger/pipeline`,
      headers: { Prefer: 'respond-async' },
      form: [
        ['token', trigger.token],
        ['ref', 'main'],
      ],
    });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      message: '202 Accepted',
      request_id: expect.any(String),
      status: 'accepted',
      status_url: answer.headers.get('location'),
    });
    const path = new URL(answer.body.status_url).pathname.replace('/api/v4', '');
    await until('the outcome to be told', async () => (await flagfall.must({ path })).status === 'created');
  });

  it('numbers pipelines of a project one after the other', async () => {
    const [first, second] = [await flagfall.trigger(trigger), await flagfall.trigger(trigger)];
    expect(second.iid).toBe(first.iid + 1);
  });
});

describe('§1.9 the creation throttle', () => {
  const limit = (json: object) => flagfall.root({ method: 'PUT', path: '/application/settings', json });

  it('refuses more pipelines a minute for the same project, user and commit, and creates none', async () => {
    const { token } = await flagfall.newTrigger({ ...app, id: Number(values['other']) }, { token: flagfall.rootToken });
    const other = { ...trigger, projectId: Number(values['other']), token };
    await limit({ pipeline_limit_per_project_user_sha: 1 });
    try {
      await flagfall.trigger(other);
      const call = async (...more: [string, string][]) => {
        const path = `/projects/${other.projectId}/trigger/pipeline`;
        const { status, body } = await flagfall.call({ method: 'POST', path, form: [['token', token], ...more] });
        return [status, body];
      };
      const tooMany = [400, base('Too many pipelines created in the last minute. Try again later.')];
      expect(await call(['ref', 'main'])).toEqual(tooMany);
      // Before it: a name that comes twice. After it: everything about the configuration, and names that cannot be saved.
      expect(await call(['ref', 'main'], ['inputs[x]', '1'])).toEqual(tooMany);
      expect(await call(['ref', 'main'], ['variables[A-B]', '1'])).toEqual(tooMany);
      expect(await flagfall.root({ path: `/projects/${other.projectId}/pipelines` })).toHaveLength(1);
      expect(await call(['ref', 'main'], ['variables[TRIGGER_PAYLOAD]', '1'])).toEqual([
        422,
        base('Duplicate variable name: TRIGGER_PAYLOAD'),
      ]);
    } finally {
      await limit({ pipeline_limit_per_project_user_sha: 0 });
    }
  });
});

describe('other methods and paths', () => {
  const get = (name: string, path: string, status: number, body: unknown, headers?: Case['headers']): Case => ({
    name,
    call: { path },
    status,
    body,
    headers,
  });
  runTable(
    [
      get('GET', url, 405, { error: '405 Not Allowed' }, { allow: 'POST' }),
      get(
        'GET of the webhook form',
        '/projects/<app>/ref/main/trigger/pipeline',
        405,
        { error: '405 Not Allowed' },
        { allow: 'POST' },
      ),
      post('the old path', { path: '/projects/<app>/trigger/builds', form: ok }, 404, { error: '404 Not Found' }),
      post('version 3', { path: '///api/v3/projects/<app>/trigger/builds'.slice(1), form: ok }, 410, {
        error: 'API V3 is no longer supported. Use API V4 instead.',
      }),
      post('version 3, with doubled slashes', { path: '//api//v3//projects' }, 410, {
        error: 'API V3 is no longer supported. Use API V4 instead.',
      }),
      post('a slash at the end', { path: `${url}/`, form: ok }, 201, created()),
    ],
    running,
  );
});
