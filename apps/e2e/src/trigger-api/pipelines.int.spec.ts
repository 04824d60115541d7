// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';
import { type Case, having, runTable, type Values } from '../testing/table.js';

const flagfall = startsFlagfall({ name: 'pipelines' });
let app: Project;
let developer: Person;
const values: Values = {};
const running = { flagfall, values };

const config = `stages: [build, deploy]
compile: {stage: build, script: [make]}
ship: {stage: deploy, script: [make ship]}
approve: {stage: deploy, script: [make approve], when: manual}
`;

/** Pipelines of several kinds, in this order: `<first>` on main, `<tagged>`, `<api>` by the developer, `<feature>`, `<failed>`, and `<newest>` on main. */
beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config }, visibility: 'private', public_jobs: false });
  const { repository } = app;
  await repository.git('tag', 'v1.0');
  await repository.git('branch', 'feature/x');
  await repository.git('checkout', '--quiet', '-b', 'broken');
  await repository.commit({ '.gitlab-ci.yml': 'compile: {script: [make], stage: nowhere}' });
  await repository.git('checkout', '--quiet', '-b', 'untouched', 'main');
  await repository.commit({ 'untouched.txt': '' });
  await repository.git('checkout', '--quiet', 'main');
  const maintainer = await flagfall.newUser('maintainer');
  const owner = await flagfall.newUser('owner');
  developer = await flagfall.newUser('developer');
  const colleague = await flagfall.newUser('colleague');
  await flagfall.join(app, maintainer, 40);
  await flagfall.join(app, owner, 50);
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, colleague, 30);
  const trigger = await flagfall.newTrigger(app, maintainer);
  const other = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  Object.assign(values, {
    app: app.id,
    root: flagfall.rootToken,
    owner: owner.token,
    maintainer: maintainer.token,
    developer: developer.token,
    colleague: colleague.token,
    token: trigger.token,
    sha: await repository.git('rev-parse', 'main'),
    first: (await flagfall.trigger(trigger)).id,
    tagged: (await flagfall.trigger(trigger, 'v1.0')).id,
    api: (await createdBy(developer, { ref: 'main' })).id,
    feature: (await flagfall.trigger(trigger, 'feature/x')).id,
  });
  await flagfall.call({
    method: 'POST',
    path: `/projects/${app.id}/trigger/pipeline`,
    json: { token: trigger.token, ref: 'broken' },
  });
  values['failed'] = (await flagfall.root({ path: `/projects/${app.id}/pipelines?ref=broken` }))[0].id;
  values['newest'] = (await flagfall.trigger(trigger, 'main', { COLOUR: 'red' })).id;
  values['elsewhere'] = (await flagfall.trigger(await flagfall.newTrigger(other))).id;
});

function createdBy({ token }: { token: string }, json: object) {
  return flagfall.must({ method: 'POST', path: `/projects/${app.id}/pipeline`, token, json });
}

const pipelines = '/projects/<app>/pipelines';
const notFound = { message: '404 Not found' };
const forbidden = { message: '403 Forbidden' };
const get = (name: string, path: string, status: number, body?: unknown, headers?: Case['headers']): Case => ({
  name,
  call: { path, as: 'maintainer' },
  status,
  body,
  headers,
});
const named = ['first', 'tagged', 'api', 'feature', 'failed', 'newest'];
/** The list must be these pipelines, in this order. */
const these =
  (...names: string[]) =>
  (listed: { id: number }[]) =>
    expect(listed.map(({ id }) => named.find((name) => values[name] === id) ?? id)).toEqual(names);
const filtered = (query: string, ...names: string[]) => get(query, `${pipelines}?${query}`, 200, these(...names));
const wrong = (query: string, error: string) => get(query, `${pipelines}?${query}`, 400, { error });

describe('§4.1 list', () => {
  it('is of basic pipelines with their names, the newest first', async () => {
    const listed = await flagfall.root({ path: `/projects/${app.id}/pipelines` });
    these('newest', 'failed', 'feature', 'api', 'tagged', 'first')(listed);
    for (const each of listed)
      expect(Object.keys(each).join(' ')).toBe(
        'id iid project_id sha ref status source created_at updated_at web_url name',
      );
  });

  runTable(
    [
      filtered('scope=running'),
      filtered('scope=pending', 'newest', 'feature', 'api', 'tagged', 'first'),
      filtered('scope=finished', 'failed'),
      filtered('scope=branches', 'newest', 'failed', 'feature'),
      filtered('scope=tags', 'tagged'),
      filtered('status=failed', 'failed'),
      filtered('status=success'),
      filtered('source=api', 'api'),
      filtered('source=trigger&status=pending', 'newest', 'feature', 'tagged', 'first'),
      filtered('source=parent_pipeline'),
      filtered('ref=feature/x', 'feature'),
      filtered('ref=gone'),
      filtered('sha=<sha>', 'newest', 'feature', 'api', 'tagged', 'first'),
      filtered('sha=0000'),
      filtered('username=developer', 'api'),
      filtered('username=nobody'),
      filtered('name=nothing'),
      filtered('yaml_errors=true', 'failed'),
      filtered('yaml_errors=True', 'failed'),
      filtered('yaml_errors=0&scope=tags', 'tagged'),
      filtered('updated_after=2100-01-01'),
      filtered('updated_before=2020-01-01T00:00:00Z'),
      filtered('created_after=2020-01-01T00:00:00.000%2B02:00&status=failed', 'failed'),
      filtered('created_before=2020-01-01'),
      filtered('order_by=id&sort=asc&status=pending', 'first', 'tagged', 'api', 'feature', 'newest'),
      filtered('order_by=user_id&sort=desc&per_page=1', 'api'),
      filtered('order_by=ref&sort=asc&per_page=1', 'failed'),
      filtered('order_by=status&sort=asc&per_page=1', 'failed'),
      filtered('order_by=updated_at&per_page=1', 'newest'),
      wrong('scope=nonsense', 'scope does not have a valid value'),
      wrong('scope[0]=running', 'scope is invalid'),
      wrong('status=nonsense', 'status does not have a valid value'),
      wrong('source=nonsense', 'source does not have a valid value'),
      wrong('order_by=name', 'order_by does not have a valid value'),
      wrong('sort=up', 'sort does not have a valid value'),
      wrong('yaml_errors=perhaps', 'yaml_errors is invalid'),
      wrong('updated_after=2308', 'updated_after is invalid'),
      wrong('updated_before=0000-01-01', 'updated_before is invalid'),
      wrong('created_after=9999-12-31T23:59:59-01:00', 'created_after is invalid'),
      wrong('created_before=01/01/2050', 'created_before is invalid'),
      wrong('scope=x&status=y', 'scope does not have a valid value, status does not have a valid value'),
    ],
    running,
  );
});

describe('§0.4 pagination', () => {
  const link = (page: number, relation: string, perPage = 2) =>
    expect.stringContaining(
      `<${String(values['url'])}/api/v4/projects/${app.id}/pipelines?id=${app.id}&page=${page}&per_page=${perPage}>; rel="${relation}"`,
    );

  it('tells everything about a page in the middle', async () => {
    values['url'] = flagfall.url;
    const { body, headers } = await flagfall.call({
      path: `/projects/${app.id}/pipelines?page=2&per_page=2`,
      token: developer.token,
    });
    these('feature', 'api')(body);
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-page': '2',
      'x-per-page': '2',
      'x-next-page': '3',
      'x-prev-page': '1',
      'x-total': '6',
      'x-total-pages': '3',
      link: link(1, 'prev'),
    });
    for (const [page, relation] of [
      [3, 'next'],
      [1, 'first'],
      [3, 'last'],
    ] as const)
      expect(headers.get('link')).toEqual(link(page, relation));
    const order = [...(headers.get('link') ?? '').matchAll(/rel="(\w+)"/g)].map(([, relation]) => relation);
    expect(order).toEqual(['prev', 'next', 'first', 'last']);
  });

  runTable(
    [
      get('a page beyond the last', `${pipelines}?page=9`, 200, [], {
        'x-page': '9',
        'x-next-page': '',
        'x-total': '6',
      }),
      get('more than 100 on a page', `${pipelines}?per_page=500`, 200, undefined, { 'x-per-page': '100' }),
      get('the usual number', pipelines, 200, undefined, { 'x-per-page': '20', 'x-page': '1', 'x-prev-page': '' }),
      get('a page that is no number', `${pipelines}?page=two`, 400, { error: 'page is invalid' }),
      get('keyset is for jobs', `${pipelines}?pagination=keyset&per_page=1`, 200, these('newest'), { 'x-total': '6' }),
      get(
        'clients send the links’ parameters back',
        `${pipelines}?id=<app>&page=3&per_page=2`,
        200,
        these('tagged', 'first'),
      ),
      get('links carry no credentials', `${pipelines}?private_token=<maintainer>&ref=main`, 200, undefined, {
        link: expect.not.stringContaining('token'),
      }),
    ],
    running,
  );
});

describe('§4.1 show', () => {
  it('is the whole pipeline, its name last', async () => {
    const pipeline = await flagfall.root({ path: `/projects/${app.id}/pipelines/${values['first']}` });
    expect(Object.keys(pipeline).join(' ')).toBe(
      'id iid project_id sha ref status source created_at updated_at web_url before_sha tag yaml_errors user started_at finished_at ' +
        'committed_at duration queued_duration coverage detailed_status archived name',
    );
    expect(Object.keys(pipeline.detailed_status).join(' ')).toBe(
      'icon text label group tooltip has_details details_path illustration favicon',
    );
    expect(pipeline.detailed_status).toMatchObject({ icon: 'status_pending', text: 'Pending', group: 'pending' });
  });

  const shown = (name: string, path: string, status: number, body: unknown, as = 'maintainer'): Case => ({
    name,
    call: { path, as },
    status,
    body,
  });
  runTable(
    [
      shown(
        'a failed one says why',
        `${pipelines}/<failed>`,
        200,
        having({ status: 'failed', yaml_errors: expect.stringContaining('nowhere') }),
      ),
      shown('by the project’s path', '/projects/group%2Fapp1/pipelines/<first>', 200, having({ ref: 'main' })),
      shown('by a path with dots encoded', '/projects/group%2Fap%701/pipelines/<first>', 200, having({ ref: 'main' })),
      shown('an unknown id', `${pipelines}/987654321`, 404, notFound),
      shown('another project’s', `${pipelines}/<elsewhere>`, 404, notFound),
      shown('a number that no id reaches', `${pipelines}/99999999999999999999`, 404, notFound),
      shown('a negative id', `${pipelines}/-5`, 404, notFound),
      shown('no number', `${pipelines}/abc`, 400, { error: 'pipeline_id is invalid' }),
      shown('no such project', '/projects/987654321/pipelines/1', 404, { message: '404 Project Not Found' }),
      shown(
        'latest is the newest of the default branch’s tip',
        `${pipelines}/latest`,
        200,
        having({ ref: 'main', name: null }),
      ),
      shown('latest of a branch', `${pipelines}/latest?ref=feature/x`, 200, having({ ref: 'feature/x' })),
      shown('latest of a tag', `${pipelines}/latest?ref=v1.0`, 200, having({ ref: 'v1.0', tag: true })),
      shown('latest of a ref that is not there', `${pipelines}/latest?ref=gone`, 403, forbidden),
      shown('latest of a commit without pipelines', `${pipelines}/latest?ref=untouched`, 403, forbidden),
      shown('variables', `${pipelines}/<newest>/variables`, 200, [
        { variable_type: 'env_var', key: 'COLOUR', value: 'red', raw: false },
        { variable_type: 'file', key: 'TRIGGER_PAYLOAD', value: expect.any(String), raw: false },
      ]),
      shown(
        'variables, for a Developer who did not start it',
        `${pipelines}/<newest>/variables`,
        403,
        forbidden,
        'developer',
      ),
      shown('variables, for the Developer who did', `${pipelines}/<api>/variables`, 200, [], 'developer'),
      shown('variables of an unknown one', `${pipelines}/987654321/variables`, 404, notFound),
      shown('bridges', `${pipelines}/<first>/bridges`, 200, []),
      shown('bridges under their new name', `${pipelines}/<first>/trigger_jobs`, 200, []),
      shown('bridges of an unknown one', `${pipelines}/987654321/bridges`, 404, notFound),
      shown('the report of its tests', `${pipelines}/<first>/test_report`, 200, {
        total_time: 0,
        total_count: 0,
        success_count: 0,
        failed_count: 0,
        skipped_count: 0,
        error_count: 0,
        test_suites: [],
      }),
    ],
    running,
  );

  it('variables have no pagination headers', async () => {
    const { headers } = await flagfall.call({
      path: `/projects/${app.id}/pipelines/${values['newest']}/variables`,
      token: flagfall.rootToken,
    });
    expect([headers.get('x-page'), headers.get('link')]).toEqual([null, null]);
  });
});

describe('§4.1 create', () => {
  const create = (name: string, json: unknown, status: number, body: unknown, as = 'developer'): Case => ({
    name,
    call: { method: 'POST', path: '/projects/<app>/pipeline', json, as },
    status,
    body,
  });
  const base = (text: unknown) => ({ message: { base: [text] } });
  const variable = { key: 'A', value: 'b' };
  runTable(
    [
      create('a branch', { ref: 'main' }, 201, having({ source: 'api', ref: 'main', user: { username: 'developer' } })),
      create('variables', { ref: 'main', variables: [variable] }, 201, having({ source: 'api' })),
      create(
        'a file',
        { ref: 'main', variables: [{ ...variable, variable_type: 'file' }] },
        201,
        having({ source: 'api' }),
      ),
      create('no ref', {}, 400, { error: 'ref is missing, ref is empty' }),
      create('variables that are a map', { ref: 'main', variables: { A: 'b' } }, 400, {
        error: 'variables is invalid',
      }),
      create('a variable without a key', { ref: 'main', variables: [{ value: 'b' }] }, 400, {
        error: 'variables[0][key] is missing',
      }),
      create(
        'a variable of a kind that is none',
        { ref: 'main', variables: [{ ...variable, variable_type: 'x' }] },
        400,
        { error: 'variables[0][variable_type] does not have a valid value' },
      ),
      create(
        'a variable twice',
        { ref: 'main', variables: [variable, variable] },
        400,
        base('Duplicate variable name: A'),
      ),
      create(
        'a variable with a bad name',
        { ref: 'main', variables: [{ key: 'A-B', value: '' }] },
        400,
        base('Failed to build the pipeline!'),
      ),
      create('no such ref', { ref: 'gone' }, 400, base('Reference not found')),
      create(
        'a bad configuration leaves nothing behind',
        { ref: 'broken' },
        400,
        base(expect.stringContaining('nowhere')),
      ),
      create(
        'an input that nobody declares',
        { ref: 'main', inputs: { x: 1 } },
        400,
        base('unknown input arguments: x'),
      ),
      get('none of these left a failed pipeline', `${pipelines}?ref=broken`, 200, these('failed')),
    ],
    running,
  );

  it('takes variables from a form, as GitLab documents it', async () => {
    const pipeline = await flagfall.must({
      method: 'POST',
      path: `/projects/${app.id}/pipeline`,
      token: developer.token,
      form: [
        ['ref', 'main'],
        ['variables[][key]', 'A'],
        ['variables[][value]', '1'],
        ['variables[][key]', 'B'],
        ['variables[][value]', '2'],
        ['variables[][variable_type]', 'file'],
      ],
    });
    expect(pipeline).not.toHaveProperty('variables');
    expect(await flagfall.root({ path: `/projects/${app.id}/pipelines/${pipeline.id}/variables` })).toEqual([
      { variable_type: 'env_var', key: 'A', value: '1', raw: false },
      { variable_type: 'file', key: 'B', value: '2', raw: false },
    ]);
  });
});

describe('§4.1 orders', () => {
  const order = (
    name: string,
    method: string,
    path: string,
    as: string,
    status: number,
    body?: unknown,
    json: unknown = {},
  ): Case => ({
    name,
    call: { method, path: `${pipelines}/${path}`, as, json },
    status,
    body,
  });
  runTable(
    [
      order(
        'cancel',
        'POST',
        '<first>/cancel',
        'developer',
        200,
        having({ status: 'canceled', detailed_status: { text: 'Canceled' } }),
      ),
      order('cancel what is canceled', 'POST', '<first>/cancel', 'developer', 200, having({ status: 'canceled' })),
      order('cancel an unknown one', 'POST', '987654321/cancel', 'developer', 404, notFound),
      order('retry', 'POST', '<first>/retry', 'developer', 201, having({ status: 'pending' })),
      order('retry what needs none', 'POST', '<first>/retry', 'developer', 201, having({ status: 'pending' })),
      order('retry an unknown one', 'POST', '987654321/retry', 'developer', 404, notFound),
      order('name', 'PUT', '<first>/metadata', 'developer', 200, having({ name: 'Nightly' }), { name: 'Nightly' }),
      order('name without one', 'PUT', '<first>/metadata', 'developer', 400, { error: 'name is missing' }),
      order(
        'name that is too long',
        'PUT',
        '<first>/metadata',
        'developer',
        400,
        { error: 'name is too long (maximum is 255 characters)' },
        { name: 'x'.repeat(256) },
      ),
      order('name an unknown one', 'PUT', '987654321/metadata', 'developer', 404, notFound, { name: 'x' }),
      get('a pipeline is found by its name', `${pipelines}?name=Nightly`, 200, these('first')),
      order('delete below Owner', 'DELETE', '<first>', 'maintainer', 403, forbidden),
      order('delete an unknown one', 'DELETE', '987654321', 'owner', 404, notFound),
    ],
    running,
  );

  it('cancel ends what waits, and retry makes new jobs', async () => {
    const { id } = await createdBy(developer, { ref: 'main' });
    const jobs = async (query = '') =>
      (await flagfall.root({ path: `/projects/${app.id}/pipelines/${id}/jobs${query}` })).map(
        ({ name, status }: Record<string, string>) => `${name} ${status}`,
      );
    const send = (what: string) =>
      flagfall.must({ method: 'POST', path: `/projects/${app.id}/pipelines/${id}/${what}`, token: developer.token });
    await send('cancel');
    expect(await jobs()).toEqual(['approve canceled', 'ship canceled', 'compile canceled']);
    await send('retry');
    expect((await jobs()).sort()).toEqual(['approve created', 'compile pending', 'ship created']);
    expect(await jobs('?include_retried=True')).toHaveLength(6);
  });

  describe('delete', () => {
    const remove = (id: number, headers: Record<string, string> = {}) =>
      flagfall.call({
        method: 'DELETE',
        path: `/projects/${app.id}/pipelines/${id}`,
        token: String(values['owner']),
        headers,
      });
    const since = (time: Date) => ({ 'If-Unmodified-Since': time.toUTCString() });

    it('is 204, and the pipeline is gone with its jobs', async () => {
      const { id } = await createdBy(developer, { ref: 'main' });
      const [job] = await flagfall.root({ path: `/projects/${app.id}/pipelines/${id}/jobs` });
      expect(await remove(id)).toMatchObject({ status: 204, body: undefined });
      expect((await remove(id)).status).toBe(404);
      const gone = await flagfall.call({ path: `/projects/${app.id}/jobs/${job.id}`, token: flagfall.rootToken });
      expect(gone.status).toBe(404);
    });

    it('is refused with 412 when it was changed since, to the millisecond', async () => {
      const { id, updated_at } = await createdBy(developer, { ref: 'main' });
      expect(await remove(id, since(new Date(Date.parse(updated_at) - 60_000)))).toMatchObject({
        status: 412,
        body: { message: '412 Precondition Failed' },
      });
      expect((await remove(id, since(new Date(Date.parse(updated_at) + 60_000)))).status).toBe(204);
    });

    it.each(['yesterday', 'Sat, 12 Sep 275760 00:00:00 GMT'])('does not mind %s, which is no date', async (date) => {
      const { id } = await createdBy(developer, { ref: 'main' });
      expect((await remove(id, { 'If-Unmodified-Since': date })).status).toBe(204);
    });

    it('moves "last used" of its trigger back', async () => {
      const trigger = await flagfall.newTrigger(app, { token: String(values['maintainer']) });
      const first = await flagfall.trigger(trigger);
      const second = await flagfall.trigger(trigger);
      const lastUsed = async () =>
        (await flagfall.root({ path: `/projects/${app.id}/triggers/${trigger.id}` })).last_used as string | null;
      await until('the second call to count', async () => (await lastUsed()) === second.created_at);
      await remove(second.id);
      await until('the first one to count again', async () => (await lastUsed()) === first.created_at);
      await remove(first.id);
      await until('none to be left', async () => (await lastUsed()) === null);
      expect(await lastUsed()).toBeNull();
    });
  });
});

describe('protected branches', () => {
  it('let only those cancel, retry and create who may push', async () => {
    const json = { name: 'feature/*', push_access_level: 40, merge_access_level: 40 };
    await flagfall.root({ method: 'POST', path: `/projects/${app.id}/protected_branches`, json });
    const send = (token: string, path: string, body: object = {}) =>
      flagfall.call({ method: 'POST', path: `/projects/${app.id}/${path}`, token, json: body });
    const feature = `pipelines/${values['feature']}`;
    for (const path of [`${feature}/cancel`, `${feature}/retry`])
      expect((await send(developer.token, path)).status).toBe(403);
    expect((await send(developer.token, 'pipeline', { ref: 'feature/x' })).status).toBe(400);
    expect((await send(String(values['maintainer']), `${feature}/cancel`)).status).toBe(200);
  });
});
