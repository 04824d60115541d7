// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Person, startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';
import { type Case, having, runTable, type Values } from '../testing/table.js';

const flagfall = startsFlagfall({ name: 'jobs' });
let app: Project;
let developer: Person;
let maintainer: Person;
const values: Values = {};
const running = { flagfall, values };

/** Every status that a job can be brought to; the runner takes them in this order. */
const config = `stages: [build, deploy]
passes: {stage: build, script: [make]}
fails: {stage: build, script: [make], allow_failure: true}
runs: {stage: build, script: [make], tags: [here]}
waits: {stage: build, script: [make], tags: [nowhere, anywhere]}
approve: {stage: build, script: [make], when: manual}
later: {stage: deploy, script: [make]}
`;

beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config }, public_jobs: false });
  developer = await flagfall.newUser('developer');
  maintainer = await flagfall.newUser('maintainer');
  const reporter = await flagfall.newUser('reporter');
  await flagfall.join(app, developer, 30);
  await flagfall.join(app, maintainer, 40);
  await flagfall.join(app, reporter, 20);
  const runner = await flagfall.newRunner({ project: app });
  const other = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  const trigger = await flagfall.newTrigger(app, maintainer);
  const pipeline = await flagfall.trigger(trigger);
  const jobs = await flagfall.root({ path: `/projects/${app.id}/pipelines/${pipeline.id}/jobs` });
  for (const { id, name } of jobs) values[name] = id;
  const passing = await runner.start();
  await runner.log(passing, 'all is well\n');
  await runner.end(passing, 'success');
  await runner.end(await runner.start(), 'failed');
  const elsewhere = await flagfall.trigger(await flagfall.newTrigger(other));
  const [job] = await flagfall.root({ path: `/projects/${other.id}/pipelines/${elsewhere.id}/jobs` });
  Object.assign(values, {
    app: app.id,
    pipeline: pipeline.id,
    elsewhere: job.id,
    root: flagfall.rootToken,
    developer: developer.token,
    maintainer: maintainer.token,
    reporter: reporter.token,
  });
});

const jobs = '/projects/<app>/jobs';
const ofPipeline = '/projects/<app>/pipelines/<pipeline>/jobs';
const notFound = { message: '404 Not found' };
const unauthorized = { message: '401 Unauthorized' };
const get = (name: string, path: string, status: number, body?: unknown, headers?: Case['headers']): Case => ({
  name,
  call: { path, as: 'reporter' },
  status,
  body,
  headers,
});
const these =
  (...names: string[]) =>
  (listed: { name: string }[]) =>
    expect(listed.map(({ name }) => name)).toEqual(names);

describe('§4.5 lists', () => {
  runTable(
    [
      get('of a project, the newest first', jobs, 200, these('later', 'approve', 'waits', 'runs', 'fails', 'passes'), {
        'x-total': null,
        'x-total-pages': null,
        'x-page': '1',
        'x-next-page': '',
        link: expect.not.stringContaining('last'),
      }),
      get(
        'of a pipeline, with totals',
        ofPipeline,
        200,
        these('later', 'approve', 'waits', 'runs', 'fails', 'passes'),
        {
          'x-total': '6',
          'x-total-pages': '1',
          link: expect.stringContaining('rel="last"'),
        },
      ),
      get('pages of a project', `${jobs}?per_page=4&page=2`, 200, these('fails', 'passes'), {
        'x-prev-page': '1',
        'x-next-page': '',
      }),
      get('which go on', `${jobs}?per_page=4`, 200, undefined, {
        'x-next-page': '2',
        link: expect.stringContaining('rel="next"'),
      }),
      ...[jobs, ofPipeline].flatMap((list) => [
        get(`one scope: ${list}`, `${list}?scope=failed`, 200, these('fails')),
        get(`several scopes: ${list}`, `${list}?scope[]=failed&scope[]=success`, 200, these('fails', 'passes')),
        get(`a scope that is none: ${list}`, `${list}?scope=nonsense`, 400, {
          error: 'scope does not have a valid value',
        }),
        get(`one of several that is none: ${list}`, `${list}?scope[]=failed&scope[]=x`, 400, {
          error: 'scope does not have a valid value',
        }),
        get(`order_by and sort are ignored: ${list}`, `${list}?order_by=name&sort=asc&per_page=1`, 200, these('later')),
      ]),
      get('a map of scopes, on a project', `${jobs}?scope[0]=failed&scope[1]=success`, 200, these('fails', 'passes')),
      get('a map of scopes, on a pipeline', `${ofPipeline}?scope[0]=failed`, 400, { error: 'scope is invalid' }),
      get('include_retried as python-gitlab sends it', `${ofPipeline}?include_retried=True`, 200),
      get('include_retried that is none', `${ofPipeline}?include_retried=perhaps`, 400, {
        error: 'include_retried is invalid',
      }),
      get('of an unknown pipeline', '/projects/<app>/pipelines/987654321/jobs', 404, notFound),
      get('a cursor that is none', `${jobs}?pagination=keyset&cursor=abc`, 400, { error: 'cursor is invalid' }),
      { name: 'for nobody', call: { path: jobs }, status: 401, body: unauthorized },
    ],
    running,
  );

  it('by keyset: each page links to the next one alone, the last to none', async () => {
    const page = async (path: string) => {
      const { body, headers } = await flagfall.call({ path, token: developer.token });
      return { names: body.map(({ name }: { name: string }) => name) as string[], headers };
    };
    const first = await page(
      `/projects/${app.id}/jobs?pagination=keyset&per_page=4&scope[]=manual&scope[]=pending&scope[]=success&scope[]=failed`,
    );
    expect(first.names).toEqual(['approve', 'waits', 'runs', 'fails']);
    expect([first.headers.get('x-page'), first.headers.get('x-next-page')]).toEqual([null, null]);
    const link = first.headers.get('link') ?? '';
    expect(link).toMatch(/^<[^>]+[?&]cursor=[\w-]+[^>]*>; rel="next"$/);
    const next = link.slice(1, link.indexOf('>'));
    expect(next).toMatch(flagfall.url);
    const last = await page(next.replace(`${flagfall.url}/api/v4`, ''));
    expect([last.names, last.headers.get('link')]).toEqual([['passes'], null]);
  });
});

describe('§4.6 the job', () => {
  it('is GitLab’s, field by field in its order', async () => {
    const job = await flagfall.root({ path: `/projects/${app.id}/jobs/${values['passes']}` });
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Object.keys(job).join(' ')).toBe(
      'id status stage name ref tag coverage allow_failure created_at started_at finished_at erased_at duration queued_duration user ' +
        'commit pipeline web_url project artifacts runner runner_manager artifacts_expire_at archived tag_list',
    );
    expect(Object.keys(job.commit).join(' ')).toBe(
      'id short_id created_at parent_ids title message author_name author_email authored_date committer_name committer_email ' +
        'committed_date trailers extended_trailers web_url',
    );
    expect(Object.keys(job.user).join(' ')).toBe(
      'id username name state locked avatar_url web_url created_at bio location skype linkedin twitter discord website_url github ' +
        'job_title pronouns organization bot work_information local_time followers following is_followed',
    );
    expect(Object.keys(job.pipeline).join(' ')).toBe(
      'id iid project_id sha ref status source created_at updated_at web_url',
    );
    expect(job).toMatchObject({
      status: 'success',
      stage: 'build',
      ref: 'main',
      tag: false,
      coverage: null,
      duration: expect.any(Number),
      queued_duration: expect.any(Number),
      user: { username: 'maintainer', created_at: time, bot: false, is_followed: false },
      commit: {
        title: 'Begin',
        message: 'Begin\n',
        parent_ids: [],
        short_id: expect.stringMatching(/^[0-9a-f]{8}$/),
        created_at: time,
        authored_date: time,
        committed_date: time,
      },
      web_url: `${flagfall.url}/${app.path}/-/jobs/${job.id}`,
      project: { ci_job_token_scope_enabled: false },
      artifacts: [{ file_type: 'trace', size: 12, filename: 'job.log', file_format: null }],
      runner: { description: 'for a test', is_shared: false, runner_type: 'project_type', active: true, paused: false },
      tag_list: [],
    });
  });

  runTable(
    [
      get(
        'a failed one says why',
        `${jobs}/<fails>`,
        200,
        having({ failure_reason: 'script_failure', allow_failure: true }),
      ),
      get(
        'one that waits',
        `${jobs}/<waits>`,
        200,
        having({
          status: 'pending',
          started_at: null,
          duration: null,
          runner: null,
          tag_list: ['anywhere', 'nowhere'],
          artifacts: [],
        }),
      ),
      get('a manual one', `${jobs}/<approve>`, 200, having({ status: 'manual', queued_duration: null })),
      get('an unknown one', `${jobs}/987654321`, 404, notFound),
      get('a number that no id reaches', `${jobs}/99999999999999999999`, 404, notFound),
      get('another project’s', `${jobs}/<elsewhere>`, 404, notFound),
      get('no number', `${jobs}/abc`, 400, { error: 'job_id is invalid' }),
      get('its log', `${jobs}/<passes>/trace`, 200, 'all is well\n', {
        'content-type': 'text/plain',
        'content-disposition': 'infile; filename="<passes>.log"',
      }),
      get('no log', `${jobs}/<waits>/trace`, 200, undefined, { 'content-type': 'text/plain', 'content-length': '0' }),
      get('artifacts', `${jobs}/<passes>/artifacts`, 404, { message: '404 Not Found' }),
      get('a file of artifacts', `${jobs}/<passes>/artifacts/report/index.html`, 404, { message: '404 Not Found' }),
      get('artifacts of an unknown one', `${jobs}/987654321/artifacts`, 404, notFound),
    ],
    running,
  );
});

describe('§4.5 orders', () => {
  const order = (
    name: string,
    path: string,
    status: number,
    body?: unknown,
    json: unknown = {},
    as = 'developer',
  ): Case => ({
    name,
    call: { method: 'POST', path: `${jobs}/${path}`, as, json },
    status,
    body,
  });
  const refused = (reason: string) => ({ message: `403 Forbidden - ${reason}` });
  const unplayable = { message: '400 Bad request - Unplayable Job' };
  runTable(
    [
      order('keep artifacts', '<passes>/artifacts/keep', 404, { message: '404 Not Found' }),
      {
        name: 'delete artifacts',
        call: { method: 'DELETE', path: `${jobs}/<passes>/artifacts`, as: 'maintainer' },
        status: 204,
      },
      order('retry what still waits', '<waits>/retry', 403, refused('Job is not retryable')),
      order('cancel what waits', '<waits>/cancel', 201, having({ status: 'canceled' })),
      order('cancel what is finished', '<passes>/cancel', 201, having({ status: 'success', id: expect.any(Number) })),
      order('cancel an unknown one', '987654321/cancel', 404, notFound),
      order(
        'retry answers with the new job',
        '<waits>/retry',
        201,
        having({ name: 'waits', status: 'pending', user: { username: 'developer' } }),
      ),
      order('the old one is not retryable any more', '<waits>/retry', 403, refused('Job is not retryable')),
      order('play what is not manual', '<passes>/play', 400, unplayable),
      order(
        'play a variable without a key',
        '<approve>/play',
        400,
        { error: 'job_variables_attributes[0][key] is missing' },
        { job_variables_attributes: [{ value: 'x' }] },
      ),
      order(
        'play a variable whose name no shell takes',
        '<approve>/play',
        400,
        { error: 'job_variables_attributes[0][key] is invalid' },
        { job_variables_attributes: [{ key: 'A-B', value: 'x' }] },
      ),
      order(
        'play variables that are none',
        '<approve>/play',
        400,
        { error: 'job_variables_attributes is invalid' },
        { job_variables_attributes: 'x' },
      ),
      order('play', '<approve>/play', 200, having({ status: 'pending', user: { username: 'developer' } }), {
        job_variables_attributes: [{ key: 'A', value: 'b' }],
      }),
      order('play what plays', '<approve>/play', 400, unplayable),
      order('erase what others started, as a Developer', '<passes>/erase', 403, { message: '403 Forbidden' }),
      order('erase what has no log', '<fails>/erase', 403, refused('Job is not erasable!'), {}, 'maintainer'),
      order('erase', '<passes>/erase', 201, having({ erased_at: expect.any(String), artifacts: [] }), {}, 'maintainer'),
      order('erase what is erased', '<passes>/erase', 403, refused('Job is not erasable!'), {}, 'maintainer'),
      get('and the log is gone', `${jobs}/<passes>/trace`, 200),
      order('cancel, for a Reporter', '<runs>/cancel', 403, { message: '403 Forbidden' }, {}, 'reporter'),
    ],
    running,
  );

  it('what was repeated is listed when asked for', async () => {
    const path = `/projects/${app.id}/pipelines/${values['pipeline']}/jobs`;
    const count = async (query: string) => (await flagfall.root({ path: path + query })).length as number;
    expect([await count(''), await count('?include_retried=True'), await count('?include_retried=false')]).toEqual([
      6, 7, 6,
    ]);
  });
});

describe('a pipeline on its way', () => {
  let runner: HandRunner;
  let project: Project;

  beforeAll(async () => {
    project = await flagfall.newProject({
      files: {
        '.gitlab-ci.yml':
          'stages: [build, deploy]\nfirst: {stage: build, script: [make]}\ngate: {stage: build, script: [make], when: manual}\nsecond: {stage: deploy, script: [make]}\n',
      },
    });
    runner = await flagfall.newRunner({ project, cancelsGracefully: false });
  });

  const start = () =>
    flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipeline`, json: { ref: 'main' } });
  const statuses = async (id: number) =>
    Object.fromEntries(
      (await flagfall.root({ path: `/projects/${project.id}/pipelines/${id}/jobs` })).map(
        ({ name, status }: Record<string, string>) => [name, status],
      ),
    );

  it('runs stage after stage, and passes', async () => {
    const { id } = await start();
    const first = await runner.start();
    expect(await project.pipelineIs(id, 'running')).toMatchObject({ started_at: expect.any(String) });
    expect(await statuses(id)).toEqual({ first: 'running', gate: 'manual', second: 'created' });
    await runner.end(first, 'success');
    await runner.end(await runner.start(), 'success');
    const passed = await project.pipelineIs(id, 'success');
    expect(passed).toMatchObject({
      finished_at: expect.any(String),
      detailed_status: { text: 'Passed', icon: 'status_success' },
    });
    expect([Number.isInteger(passed.duration), Number.isInteger(passed.queued_duration)]).toEqual([true, true]);
  });

  it('fails, skips what comes after, and is repeated from there', async () => {
    const { id } = await start();
    await runner.end(await runner.start(), 'failed');
    await project.pipelineIs(id, 'failed');
    expect(await statuses(id)).toEqual({ first: 'failed', gate: 'manual', second: 'skipped' });
    const retried = await flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipelines/${id}/retry` });
    expect(retried.status).toBe('running');
    expect(await statuses(id)).toEqual({ first: 'pending', gate: 'manual', second: 'created' });
    await flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipelines/${id}/cancel` });
  });

  it('is canceled while it runs; what is manual stays manual', async () => {
    const { id } = await start();
    const job = await runner.start();
    const canceled = await flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipelines/${id}/cancel` });
    expect(canceled.status).toBe('canceled');
    expect(await statuses(id)).toEqual({ first: 'canceled', gate: 'manual', second: 'canceled' });
    const told = await flagfall.call({
      method: 'PUT',
      path: `/jobs/${job.id}`,
      json: { token: job.token, state: 'running' },
    });
    expect([told.status, told.headers.get('job-status')]).toEqual([403, 'canceled']);
  });

  it('lets its running job read and name it with the job’s token, and do no more', async () => {
    const { id } = await start();
    const job = await runner.start();
    const call = (method: string, path: string, json?: object) =>
      flagfall.call({ method, path: `/projects/${project.id}${path}`, headers: { 'JOB-TOKEN': job.token }, json });
    expect((await call('GET', `/pipelines/${id}`)).status).toBe(200);
    expect((await call('GET', `/pipelines/${id}/jobs`)).status).toBe(200);
    expect((await call('PUT', `/pipelines/${id}/metadata`, { name: 'From a job' })).body).toMatchObject({
      name: 'From a job',
    });
    expect((await call('POST', `/pipelines/${id}/cancel`)).status).toBe(401);
    expect((await call('GET', '/triggers')).status).toBe(401);
    await runner.end(job, 'success');
    expect((await call('GET', `/pipelines/${id}`)).status).toBe(401);
    await flagfall.root({ method: 'POST', path: `/projects/${project.id}/pipelines/${id}/cancel` });
  });

  it('starts a pipeline of another project with the job’s token (§1.7)', async () => {
    const target = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
    await start();
    const job = await runner.start();
    const call = (token: string, ref = 'main') =>
      flagfall.call({ method: 'POST', path: `/projects/${target.id}/trigger/pipeline`, json: { token, ref } });
    expect(await call(job.token)).toMatchObject({
      status: 201,
      body: { source: 'pipeline', project_id: target.id, user: { username: 'root' } },
    });
    await runner.log(job, 'said\n');
    await runner.end(job, 'success');
    expect(await call(job.token)).toMatchObject({ status: 401, body: { message: 'Job is not running' } });
    await project.post(`/jobs/${job.id}/erase`);
    expect(await call(job.token)).toMatchObject({ status: 401, body: { message: 'Job has been erased!' } });
  });

  it('and is told when that job’s project was deleted', async () => {
    const target = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
    const source = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
    await source.post('/pipeline', { ref: 'main' });
    const itsRunner = await flagfall.newRunner({ project: source });
    const job = await itsRunner.start();
    await flagfall.root({ method: 'DELETE', path: `/projects/${source.id}` });
    const call = () =>
      flagfall.call({
        method: 'POST',
        path: `/projects/${target.id}/trigger/pipeline`,
        json: { token: job.token, ref: 'main' },
      });
    const told = { status: 401, body: { message: 'Project has been deleted!' } };
    expect(await call()).toMatchObject(told);
    await until(
      'the runner to hear of it',
      async () => (await itsRunner.put(job, { state: 'running' })).status === 403,
    );
    expect(await call()).toMatchObject(told);
  });
});

describe('the rate limit of job lists', () => {
  const limit = (value: number) =>
    flagfall.root({ method: 'PUT', path: '/application/settings', json: { project_jobs_api_rate_limit: value } });

  it('is 429 beyond it, with headers that every client understands', async () => {
    await limit(1);
    try {
      const call = () => flagfall.call({ path: `/projects/${app.id}/jobs`, token: maintainer.token });
      let answer = await call();
      await until('the limit to hold', async () => (answer = await call()).status === 429);
      expect(answer.body).toEqual({
        message: { error: 'This endpoint has been requested too many times. Try again later.' },
      });
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'retry-after': expect.stringMatching(/^\d+$/),
        'ratelimit-limit': '1',
        'ratelimit-remaining': '0',
        'ratelimit-reset': expect.stringMatching(/^\d+$/),
      });
    } finally {
      await limit(600);
    }
  });
});
