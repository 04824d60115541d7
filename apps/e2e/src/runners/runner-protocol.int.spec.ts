// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({
  name: 'protocol',
  environment: { REQUEST_HOLD_MS: '300', JOB_LOG_LIMIT_MIB: '1' },
});
let project: Project;
/** Takes what has no tags; each test leaves the queue empty. */
let runner: HandRunner;

beforeAll(async () => {
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: { script: [make] }' } });
  runner = await flagfall.newRunner();
});

const forbidden = { message: '403 Forbidden' };
const post = (path: string, json: unknown) => flagfall.call({ method: 'POST', path, json });
const remove = (path: string, json: unknown) => flagfall.call({ method: 'DELETE', path, json });

describe('the token of a runner', () => {
  it('begins with glrt-, and is verified with 200 and numbers that are numbers', async () => {
    const { status, headers, body } = await post('/runners/verify', { token: runner.token, system_id: 's_1' });
    expect(runner.token).toMatch(/^glrt-[\w-]{20,}$/);
    expect({ status, type: headers.get('content-type') }).toEqual({ status: 200, type: 'application/json' });
    expect(body).toEqual({ id: expect.any(Number) as number, token: runner.token, token_expires_at: null });
  });

  it.each([
    ['verify', 'POST', '/runners/verify'],
    ['remove', 'DELETE', '/runners'],
    ['reset', 'POST', '/runners/reset_authentication_token'],
    ['take jobs', 'POST', '/jobs/request'],
  ])('that nobody knows does not %s', async (_, method, path) => {
    const call = (json: object) => flagfall.call({ method, path, json });
    expect(await call({ token: 'glrt-nobody' })).toMatchObject({ status: 403, body: forbidden });
    const without = await call({});
    expect(without).toMatchObject({ status: 400, body: { error: 'token is missing, token is empty' } });
  });

  it('is changed by the runner, and the old one stops working at once', async () => {
    const { token } = await flagfall.newRunner();
    const { status, body } = await post('/runners/reset_authentication_token', { token });
    expect(status).toBe(201);
    expect(body).toMatchObject({ token: expect.stringMatching(/^glrt-/) as string, token_expires_at: null });
    expect((await post('/runners/verify', { token })).status).toBe(403);
    expect((await post('/runners/verify', { token: body.token })).status).toBe(200);
  });

  it('is changed by its owner, whose client sends the JSON body null', async () => {
    const { id } = await flagfall.newRunner();
    const path = `/runners/${id}/reset_authentication_token`;
    const { status, body } = await flagfall.call({ method: 'POST', path, token: flagfall.rootToken, json: null });
    expect(status).toBe(201);
    expect((await post('/runners/verify', { token: body.token })).body.id).toBe(id);
  });

  it('removes one machine, and the runner', async () => {
    const removed = await flagfall.newRunner();
    const { token } = removed;
    await removed.request();
    expect((await remove('/runners/managers', { token, system_id: 's_other' })).status).toBe(404);
    expect((await remove('/runners/managers', { token })).status).toBe(400);
    const { status, body } = await remove('/runners/managers', { token, system_id: 's_0123456789ab' });
    expect({ status, body }).toEqual({ status: 204, body: undefined });
    expect((await post('/runners/verify', { token })).status).toBe(200);
    expect((await remove('/runners', { token })).status).toBe(204);
    expect((await post('/runners/verify', { token })).status).toBe(403);
  });
});

describe('a request for a job', () => {
  it('that finds none is answered 204 with a mark', async () => {
    const { status, headers, body } = await runner.request();
    expect({ status, body }).toEqual({ status: 204, body: undefined });
    expect(headers.get('x-gitlab-last-update')).toMatch(/^[0-9a-f]+$/);
  });

  it('of a paused runner is answered 204 although there is a job', async () => {
    const paused = await flagfall.newRunner({ paused: true });
    await project.trigger();
    expect((await paused.request()).status).toBe(204);
    await flagfall.root({ method: 'PUT', path: `/runners/${paused.id}`, json: { paused: false } });
    const job = await paused.take();
    await paused.put(job, { state: 'success' });
  });

  it('may leave out everything but the token', async () => {
    await project.trigger();
    const { status, body } = await post('/jobs/request', { token: runner.token });
    expect(status).toBe(201);
    await runner.put(body, { state: 'success' });
  });
});

it('a job goes from the queue to its end as runner-api.md §2 to §4 say', async () => {
  const { id: pipelineId } = await project.trigger();
  const { status, headers, body: job } = await runner.request();
  expect({ status, type: headers.get('content-type') }).toEqual({ status: 201, type: 'application/json' });
  expect(job).toMatchObject({
    id: expect.any(Number) as number,
    token: expect.stringMatching(/^glcbt-[\w-]{20,}$/) as string,
    job_info: { pipeline_id: pipelineId, project_id: project.id, project_full_path: project.path },
    git_info: { repo_url: expect.stringContaining(`/${project.path}.git`) as string, depth: 20 },
    runner_info: { timeout: 3600 },
  });
  // Handed out, but nobody has said that it arrived.
  expect(await project.job(job)).toMatchObject({ status: 'pending', started_at: null });
  expect((await runner.request()).status).toBe(204);

  const started = await runner.put(job, { state: 'running', output: {} });
  expect(started).toMatchObject({ status: 200 });
  expect(started.headers.get('job-status')).toBe('running');
  expect(started.headers.get('x-gitlab-trace-update-interval')).toBe('3');
  expect((await project.pipeline(pipelineId)).status).toBe('running');

  const text = Buffer.from('Grüße\n');
  const first = await runner.patch(job, 0, text.subarray(0, 3));
  expect({ status: first.status, range: first.headers.get('range') }).toEqual({ status: 202, range: '0-3' });
  expect(first.headers.get('job-status')).toBe('running');
  const repeated = await runner.patch(job, 0, text.subarray(0, 3));
  expect({ status: repeated.status, range: repeated.headers.get('range') }).toEqual({ status: 416, range: '0-3' });
  const gap = await runner.patch(job, 100, 'x');
  expect({ status: gap.status, range: gap.headers.get('range') }).toEqual({ status: 416, range: '0-3' });
  expect((await runner.patch(job, 3, text.subarray(3))).headers.get('range')).toBe(`0-${text.length}`);

  const trace = await flagfall.call({
    path: `/projects/${project.id}/jobs/${job.id}/trace`,
    token: flagfall.rootToken,
  });
  expect(trace).toMatchObject({ status: 200, body: 'Grüße\n' });
  expect(trace.headers.get('content-type')).toContain('text/plain');
  expect(trace.headers.get('content-disposition')).toBe(`infile; filename="${job.id}.log"`);

  const alive = await runner.put(job, { state: 'running', checksum: 'crc32:363a3020', output: { bytesize: 8 } });
  expect({ status: alive.status, job: alive.headers.get('job-status') }).toEqual({ status: 200, job: 'running' });
  const own = await flagfall.call({ path: '/job', headers: { 'JOB-TOKEN': job.token } });
  expect(own).toMatchObject({
    status: 200,
    body: { id: job.id, status: 'running', runner: { name: 'gitlab-runner' } },
  });

  const ended = await runner.put(job, { state: 'success', checksum: 'crc32:363a3020', output: { bytesize: 8 } });
  expect({ status: ended.status, job: ended.headers.get('job-status') }).toEqual({ status: 200, job: 'success' });
  for (const late of [await runner.put(job, { state: 'success' }), await runner.patch(job, 8, 'late')]) {
    expect(late).toMatchObject({ status: 403, body: forbidden });
    expect(late.headers.get('job-status')).toBe('success');
  }
  const later = await flagfall.call({ path: '/job', headers: { 'JOB-TOKEN': job.token } });
  expect(later.status).toBe(401);
  expect(await project.job(job)).toMatchObject({
    status: 'success',
    duration: expect.any(Number) as number,
    artifacts: [{ file_type: 'trace', size: text.length }],
  });
  expect((await project.pipeline(pipelineId)).status).toBe('success');
});

it('a runner whose answer got lost is asked for the log from where it is', async () => {
  await project.trigger();
  const job = await runner.take();
  // The first thing heard of a job may be its log (runner-api.md §2.5).
  expect((await runner.patch(job, 0, 'abc')).status).toBe(202);
  expect((await project.job(job)).status).toBe('running');
  const all = await runner.patch(job, 0, 'abcdef');
  expect({ status: all.status, range: all.headers.get('range') }).toEqual({ status: 416, range: '0-3' });
  expect((await runner.patch(job, 3, 'def')).status).toBe(202);
  await runner.put(job, { state: 'success' });
  expect(await project.get(`/jobs/${job.id}/trace`)).toBe('abcdef');
});

describe('a report', () => {
  it.each<[string, object, object]>([
    ['with an exit code', { failure_reason: 'script_failure', exit_code: 2 }, { failure_reason: 'script_failure' }],
    ['with a reason that nobody knows', { failure_reason: 'bad_luck' }, { failure_reason: 'unknown_failure' }],
    ['without a reason', { exit_code: 99_999_999_999 }, { failure_reason: 'unknown_failure' }],
  ])('of a failure %s', async (_, report, expected) => {
    await project.trigger();
    const job = await runner.take();
    expect((await runner.put(job, { state: 'failed', ...report })).headers.get('job-status')).toBe('failed');
    expect(await project.job(job)).toMatchObject({ status: 'failed', ...expected });
  });

  it('without the token of the job, with another job’s or with an unknown state is refused', async () => {
    await project.trigger();
    await project.trigger();
    const [job, other] = [await runner.start(), await runner.start()];
    for (const token of ['', 'glcbt-nobody', other.token]) {
      const answer = await runner.put({ ...job, token }, { state: 'running' });
      expect(answer).toMatchObject({ status: 403, body: forbidden });
      expect(answer.headers.get('job-status')).toBeNull();
      expect((await runner.patch({ ...job, token }, 0, 'x')).status).toBe(403);
    }
    const strange = await runner.put(job, { state: 'dreaming' });
    expect(strange).toMatchObject({ status: 400, body: { error: 'state does not have a valid value' } });
    for (const each of [job, other]) await runner.put(each, { state: 'success' });
  });

  it('of a log without its place is refused', async () => {
    await project.trigger();
    const job = await runner.start();
    const headers = { 'JOB-TOKEN': job.token, 'Content-Type': 'text/plain' };
    const path = `/jobs/${job.id}/trace`;
    const answer = await flagfall.call({ method: 'PATCH', path, raw: 'x', headers });
    expect(answer.status).toBe(400);
    await runner.put(job, { state: 'success' });
  });
});

it('finds the coverage in the log', async () => {
  const measured = await flagfall.newProject({
    files: { '.gitlab-ci.yml': `job: { script: [make], coverage: '/^TOTAL.*?(\\d+\\.\\d+)%/' }` },
  });
  const { id: pipelineId } = await measured.trigger();
  const job = await runner.start();
  await runner.patch(job, 0, 'TOTAL 1.5%\nTOTAL 87.25%\nbye\n');
  expect((await runner.put(job, { state: 'success' })).headers.get('job-status')).toBe('success');
  expect((await measured.job(job)).coverage).toBe(87.25);
  const pipeline = await measured.pipeline(pipelineId);
  expect(Number(pipeline.coverage)).toBe(87.25);
});

it('the key of a cache changes with the files that it names, or with the commits that changed them', async () => {
  const config = `
job:
  script: [make]
  cache:
  - { key: { files: [a.lock], prefix: contents }, paths: [a/] }
  - { key: { files_commits: [a.lock], prefix: commits }, paths: [b/] }
  - { key: { files: [gone.lock] }, paths: [c/], unprotect: true }
`;
  const cached = await flagfall.newProject({ files: { '.gitlab-ci.yml': config, 'a.lock': '1' } });
  const keys = async (): Promise<string[]> => {
    await cached.trigger();
    const job = await runner.start();
    await runner.end(job, 'success');
    return job.cache.map(({ key }: { key: string }) => key);
  };
  const first = await keys();
  expect(first).toEqual([
    expect.stringMatching(/^contents-[0-9a-f]{40}-non_protected$/),
    expect.stringMatching(/^commits-[0-9a-f]{40}-non_protected$/),
    '2_gone-default-non_protected',
  ]);
  await cached.repository.commit({ 'b.lock': '1' }, 'Something else');
  expect(await keys()).toEqual(first);
  await cached.repository.commit({ 'a.lock': '2' }, 'There');
  await cached.repository.commit({ 'a.lock': '1' }, 'And back again');
  const [contents, commits] = await keys();
  expect([contents === first[0], commits === first[1]]).toEqual([true, false]);
});

it('a log that grows beyond its limit ends the job', async () => {
  await project.trigger();
  const job = await runner.start();
  const mebibyte = Buffer.alloc(1_048_576, '.');
  expect((await runner.patch(job, 0, mebibyte)).headers.get('range')).toBe('0-1048576');
  const over = await runner.patch(job, mebibyte.length, 'x');
  expect({ status: over.status, job: over.headers.get('job-status') }).toEqual({ status: 403, job: 'failed' });
  expect(await project.job(job)).toMatchObject({ failure_reason: 'trace_size_exceeded' });
  const log = await project.get(`/jobs/${job.id}/trace`);
  expect(log.slice(mebibyte.length)).toContain('The job log size limit was reached.');
});

it('a log is gone when it is erased, and when the pipeline is deleted', async () => {
  const { id: pipelineId } = await project.trigger();
  const job = await runner.start();
  await runner.patch(job, 0, 'secret');
  await runner.put(job, { state: 'success' });
  expect(await project.get(`/jobs/${job.id}/trace`)).toBe('secret');
  await project.post(`/jobs/${job.id}/erase`);
  expect(await project.get(`/jobs/${job.id}/trace`)).toBeUndefined();
  await flagfall.root({ method: 'DELETE', path: `/projects/${project.id}/pipelines/${pipelineId}` });
  const gone = await flagfall.call({ path: `/projects/${project.id}/jobs/${job.id}/trace`, token: flagfall.rootToken });
  expect(gone.status).toBe(404);
});

describe('canceling', () => {
  const cancel = (job: { id: number }) => project.post(`/jobs/${job.id}/cancel`);

  it('lets a runner that can stop in good order', async () => {
    await project.trigger();
    const job = await runner.start();
    expect((await cancel(job)).status).toBe('canceling');
    const told = await runner.put(job, { state: 'running' });
    expect({ status: told.status, job: told.headers.get('job-status') }).toEqual({ status: 200, job: 'canceling' });
    const log = await runner.patch(job, 0, 'stopping');
    expect({ status: log.status, job: log.headers.get('job-status') }).toEqual({ status: 202, job: 'canceling' });
    const end = await runner.put(job, { state: 'failed', failure_reason: 'job_canceled' });
    expect({ status: end.status, job: end.headers.get('job-status') }).toEqual({ status: 200, job: 'canceled' });
    expect((await project.job(job)).status).toBe('canceled');
  });

  it('cuts off a runner that cannot', async () => {
    const old = await flagfall.newRunner({ cancelsGracefully: false });
    await project.trigger();
    const job = await old.start();
    expect((await cancel(job)).status).toBe('canceled');
    for (const answer of [await old.put(job, { state: 'running' }), await old.patch(job, 0, 'x')]) {
      expect(answer.status).toBe(403);
      expect(answer.headers.get('job-status')).toBe('canceled');
    }
  });

  it('of a job that nobody has acknowledged is told with the first report', async () => {
    await project.trigger();
    const job = await runner.take();
    expect((await cancel(job)).status).toBe('canceled');
    const answer = await runner.put(job, { state: 'running' });
    expect({ status: answer.status, job: answer.headers.get('job-status') }).toEqual({ status: 403, job: 'canceled' });
  });
});

describe('runners and their managers', () => {
  it('are made with what they may take', async () => {
    const settings = {
      runner_type: 'project_type',
      project_id: project.id,
      description: 'mine',
      tag_list: 'linux,shell',
      run_untagged: false,
      access_level: 'ref_protected',
      maximum_timeout: 600,
      maintenance_note: 'rack 4',
      locked: true,
    };
    const { id, token, token_expires_at } = await flagfall.root({
      method: 'POST',
      path: '/user/runners',
      json: settings,
    });
    expect({ id: typeof id, token: typeof token, token_expires_at }).toEqual({
      id: 'number',
      token: 'string',
      token_expires_at: null,
    });
    const show = () => flagfall.root({ path: `/runners/${id}` });
    expect(await show()).toMatchObject({
      id,
      description: 'mine',
      active: true,
      paused: false,
      is_shared: false,
      runner_type: 'project_type',
      online: false,
      status: 'never_contacted',
      tag_list: ['linux', 'shell'],
      run_untagged: false,
      locked: true,
      maximum_timeout: 600,
      access_level: 'ref_protected',
      maintenance_note: 'rack 4',
      contacted_at: null,
      projects: [
        {
          id: project.id,
          name: project.path.split('/')[1],
          name_with_namespace: project.path.replace('/', ' / '),
          path: project.path.split('/')[1],
          path_with_namespace: project.path,
        },
      ],
      groups: [],
    });
    await new HandRunner(flagfall, { id, token }).request();
    expect(await show()).toMatchObject({ online: true, name: 'gitlab-runner' });
    const change = { description: 'yours', tag_list: [], run_untagged: true };
    await flagfall.root({ method: 'PUT', path: `/runners/${id}`, json: change });
    expect(await show()).toMatchObject({ description: 'yours', tag_list: [] });
    const ids = async (path: string) => (await flagfall.root({ path })).map((each: { id: number }) => each.id);
    expect(await ids('/runners/all?per_page=100')).toContain(id);
    expect(await ids(`/projects/${project.id}/runners?per_page=100`)).toContain(id);
    await flagfall.root({ method: 'DELETE', path: `/runners/${id}` });
    expect((await flagfall.call({ path: `/runners/${id}`, token: flagfall.rootToken })).status).toBe(404);
    expect((await post('/runners/verify', { token })).status).toBe(403);
  });

  it.each<[string, object, number]>([
    ['no type', {}, 400],
    ['a type that is none', { runner_type: 'group_type' }, 400],
    ['no project', { runner_type: 'project_type' }, 400],
    ['nothing that it may take', { runner_type: 'instance_type', run_untagged: false }, 400],
    ['too short a timeout', { runner_type: 'instance_type', maximum_timeout: 60 }, 400],
  ])('are not made with %s', async (_, json, expected) => {
    const call = { method: 'POST', path: '/user/runners', token: flagfall.rootToken, json };
    expect((await flagfall.call(call)).status).toBe(expected);
  });

  it('are not everybody’s', async () => {
    const { token } = await flagfall.newUser('eve');
    const { id } = await flagfall.newRunner();
    const call = (method: string, path: string, json?: object) => flagfall.call({ method, path, token, json });
    expect((await call('POST', '/user/runners', { runner_type: 'instance_type' })).status).toBe(403);
    expect((await call('GET', '/runners/all')).status).toBe(403);
    expect((await call('PUT', `/runners/${id}`, { paused: true })).status).toBe(403);
    expect((await call('DELETE', `/runners/${id}`)).status).toBe(403);
    expect((await flagfall.call({ path: '/runners' })).status).toBe(401);
    expect((await call('GET', '/runners')).body).toEqual([]);
  });
});

it('the log size is told while the job runs', async () => {
  await project.trigger();
  const job = await runner.start();
  await runner.patch(job, 0, 'twelve bytes');
  await until('the size to be told', async () => (await project.job(job)).artifacts[0]?.size === 12);
  expect((await runner.put(job, { state: 'success' })).status).toBe(200);
});
