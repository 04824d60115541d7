// needs: rabbitmq, postgresql
import { request as send, type IncomingHttpHeaders } from 'node:http';
import { undecodable } from '../testing/decoded-job.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { HandRunner, type TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

/** What breaks the unmodified gitlab-runner, trap by trap as runner-api.md lists them in §0 and §8, over bare HTTP. */
const flagfall = startsFlagfall({ name: 'traps', environment: { REQUEST_HOLD_MS: '0' } });
let project: Project;
let runner: HandRunner;

const config = `
variables: { FROM_FILE: "1" }
default: { hooks: { pre_get_sources_script: [echo cloning] } }
job:
  image: { name: alpine, entrypoint: [/bin/sh], pull_policy: if-not-present, docker: { platform: linux/amd64, user: 1000 } }
  services: [{ name: postgres, alias: db, command: [postgres], variables: { A: "1" } }]
  script: [make]
  after_script: [echo bye]
  timeout: 10 minutes
  cache: { key: k, paths: [a/], fallback_keys: [f] }
  artifacts: { paths: [dist/], expire_in: 1 week, reports: { junit: report.xml } }
`;

beforeAll(async () => {
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  runner = await flagfall.newRunner();
});

interface Heard {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One call as Go's client makes it, with every header written out; without a length the body goes in chunks. */
function call(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) {
  return new Promise<Heard>((resolve, reject) => {
    const all = {
      'User-Agent': 'gitlab-runner 19.3.0 (main; go1.24; linux/amd64)',
      'X-Request-Id': requestId,
      'Accept-Encoding': 'gzip',
      ...(body !== undefined && !headers['Transfer-Encoding'] && { 'Content-Length': String(Buffer.byteLength(body)) }),
      ...headers,
    };
    const sent = send(`${flagfall.url}/api/v4${path}`, { method, headers: all }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const requestId = '0123456789abcdef0123456789abcdef';
const json = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  call(method, path, JSON.stringify(body), {
    'Content-Type': 'application/json',
    Accept: 'application/json',
    ...headers,
  });

const jobHeaders = ({ token }: TakenJob) => ({ 'JOB-TOKEN': token });
const logHeaders = (job: TakenJob, start: number, end: number) => ({
  ...jobHeaders(job),
  'Content-Type': 'text/plain',
  'Content-Range': `${start}-${end}`,
});

/** Byte for byte what runner-api.md §2.1 shows, and what it does not. */
const info = {
  name: 'gitlab-runner',
  version: '19.3.0',
  revision: '9cbf0074',
  platform: 'linux',
  architecture: 'amd64',
  executor: 'shell',
  shell: 'bash',
  features: { variables: true, refspecs: true, cancel_gracefully: true, two_phase_job_commit: true, of_tomorrow: 7 },
  config: { gpus: '' },
  labels: { rack: 'r4' },
  unheard_of: [null, { deep: true }],
};

async function started(): Promise<TakenJob> {
  await project.trigger();
  return runner.start();
}

describe('trap 1: statuses that a framework would not choose', () => {
  it('verify is answered 200, not 201', async () => {
    const { status } = await json('POST', '/runners/verify', { token: runner.token, system_id: 's_1', info });
    expect(status).toBe(200);
  });

  it('a log patch is answered 202, not 200, with the size as the end of the range', async () => {
    const job = await started();
    const { status, headers } = await call(
      'PATCH',
      `/jobs/${job.id}/trace?debug_trace=false`,
      'x'.repeat(1024),
      logHeaders(job, 0, 1023),
    );
    expect(status).toBe(202);
    expect(headers).toMatchObject({
      range: '0-1024',
      'job-status': 'running',
      'x-gitlab-trace-update-interval': expect.stringMatching(/^[1-9]\d*$/) as string,
    });
    await runner.end(job, 'success');
  });

  it('a job update is answered 200, the removal of a runner and of a machine 204, a new token 201', async () => {
    const job = await started();
    const update = { info, token: job.token, state: 'running', output: { checksum: 'crc32:363a3020', bytesize: 6 } };
    expect((await json('PUT', `/jobs/${job.id}`, update, jobHeaders(job))).status).toBe(200);
    await runner.end(job, 'success');
    const gone = await flagfall.newRunner();
    await gone.request();
    const { token } = gone;
    const machine = { token, system_id: 's_0123456789ab' };
    expect(await json('DELETE', '/runners/managers', machine)).toMatchObject({ status: 204, body: '' });
    const reset = await json('POST', '/runners/reset_authentication_token', { token });
    expect(reset.status).toBe(201);
    const fresh = JSON.parse(reset.body) as { token: string };
    expect(await json('DELETE', '/runners', { token: fresh.token })).toMatchObject({ status: 204, body: '' });
  });
});

it('trap 2: success is application/json wherever it is read', async () => {
  const { token } = await flagfall.newRunner();
  await project.trigger();
  const ask = { token, system_id: 's_1', info, last_update: '0' };
  const answers = [
    await json('POST', '/runners/verify', { token }),
    await json('POST', '/jobs/request', ask),
    await json('POST', '/runners/reset_authentication_token', { token }),
  ];
  expect(answers.map(({ status, headers }) => [status, headers['content-type']])).toEqual([
    [200, 'application/json'],
    [201, 'application/json'],
    [201, 'application/json'],
  ]);
  // Packed although it may be: what runners decode is sent as it is, or with its encoding told.
  for (const { headers, body } of answers) {
    expect(headers['content-encoding']).toBeUndefined();
    expect(JSON.parse(body)).toBeInstanceOf(Object);
  }
  await runner.end(JSON.parse(answers[1]!.body) as TakenJob, 'success');
});

it('trap 3: every number is a number, every list a list, and nothing is null', async () => {
  await project.trigger();
  const job = await runner.take();
  expect(undecodable(job)).toEqual([]);
  // One wrong type, and the runner drops the job.
  expect(undecodable({ ...job, id: String(job.id) })).toEqual([`job.id is "${job.id}", not a whole number above 0`]);
  expect(undecodable({ ...job, services: null })).toEqual(['job.services is null, not a list']);
  expect(job).toMatchObject({
    runner_info: { timeout: 600 },
    image: { executor_opts: { docker: { platform: 'linux/amd64', user: '1000' } } },
  });
  await runner.end(job, 'success');
});

describe('trap 4: bodies', () => {
  it('a log piece of 1 MiB of bytes that ends inside a character', async () => {
    const job = await started();
    const log = Buffer.from(`${'x'.repeat(1_048_575)}ü!\n`);
    const [first, second] = [log.subarray(0, 1_048_576), log.subarray(1_048_576)];
    const patch = (piece: Buffer, start: number) =>
      call('PATCH', `/jobs/${job.id}/trace?debug_trace=false`, piece, logHeaders(job, start, start + piece.length - 1));
    expect((await patch(first, 0)).headers.range).toBe('0-1048576');
    expect((await patch(second, first.length)).headers.range).toBe(`0-${log.length}`);
    await runner.end(job, 'success');
    expect(await project.get(`/jobs/${job.id}/trace`)).toBe(log.toString());
  });

  it('bytes that are no text at all, and a range of an old runner that is one too long', async () => {
    const job = await started();
    const bytes = Buffer.from([0, 0xff, 0xfe, 0x80, 0x0d, 0x1b, 0x0a]);
    const answer = await call('PATCH', `/jobs/${job.id}/trace`, bytes, logHeaders(job, 0, bytes.length));
    expect([answer.status, answer.headers.range]).toEqual([202, `0-${bytes.length}`]);
    await runner.end(job, 'success');
    const read = await fetch(`${flagfall.url}/api/v4/projects/${project.id}/jobs/${job.id}/trace`, {
      headers: { 'PRIVATE-TOKEN': flagfall.rootToken },
    });
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('a request for a job with a certificate in its session, and fields that nobody knows', async () => {
    await project.trigger();
    const certificate = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(200_000)}`;
    const session = { url: 'https://host:8093/session/abc', certificate, authorization: 'secret' };
    const ask = { info, token: runner.token, system_id: 's_1', session, last_update: 'abc', of_tomorrow: { x: [1] } };
    const { status, body } = await json('POST', '/jobs/request', ask, { 'RUNNER-TOKEN': runner.token });
    expect(status).toBe(201);
    await runner.end(JSON.parse(body) as TakenJob, 'success');
  });
});

it('trap 5: the literal JSON body null', async () => {
  const { id } = await flagfall.newRunner();
  const headers = { 'PRIVATE-TOKEN': flagfall.rootToken };
  const answer = await json('POST', `/runners/${id}/reset_authentication_token`, null, headers);
  expect(answer.status).toBe(201);
  expect(JSON.parse(answer.body)).toMatchObject({
    token: expect.stringMatching(/^glrt-/) as string,
    token_expires_at: null,
  });
});

it('trap 6: DELETE has a JSON body, and the token is in it', async () => {
  const { token } = await flagfall.newRunner();
  expect((await call('DELETE', '/runners')).status).toBe(400);
  expect((await json('DELETE', '/runners', { token: 'glrt-another' })).status).toBe(403);
  expect((await json('DELETE', '/runners', { token })).status).toBe(204);
});

it('trap 7: connections are kept longer than the 90 seconds for which runners keep them', async () => {
  // Not by the door, which has connections of its own.
  const { headers } = await fetch(`http://127.0.0.1:${flagfall.installation.ports[0]}/-/liveness`);
  expect(headers.get('connection')).not.toBe('close');
  const [, seconds] = /timeout=(\d+)/.exec(headers.get('keep-alive') ?? '') ?? [];
  expect(Number(seconds)).toBeGreaterThan(90);
});

it('trap 8: an artifact comes in chunks, without a length', async () => {
  const job = await started();
  const part =
    'Content-Disposition: form-data; name="file"; filename="dist.zip"\r\nContent-Type: application/octet-stream';
  const form = `--7b0c\r\n${part}\r\n\r\nbytes\r\n--7b0c--\r\n`;
  const answer = await call(
    'POST',
    `/jobs/${job.id}/artifacts?artifact_format=zip&artifact_type=archive&expire_in=1+week`,
    form,
    {
      ...jobHeaders(job),
      'Content-Type': 'multipart/form-data; boundary=7b0c',
      'Transfer-Encoding': 'chunked',
    },
  );
  expect(answer.status).toBe(201);
  await runner.end(job, 'success');
  // `direct_download` welcomes a redirect, and does not need one.
  await project.trigger();
  const reader = await runner.start();
  const got = await call('GET', `/jobs/${job.id}/artifacts?direct_download=true`, undefined, jobHeaders(reader));
  expect([got.status, got.body]).toEqual([200, 'bytes']);
  expect((await call('GET', `/jobs/${job.id}/artifacts`)).status).toBe(401);
  await runner.end(reader, 'success');
});

describe('what else a runner looks at', () => {
  it('the id of its request comes back', async () => {
    const { headers } = await json('POST', '/jobs/request', { token: runner.token, info, system_id: 's_1' });
    expect(headers['x-request-id']).toBe(requestId);
  });

  it('a router of jobs is not there, which is fine', async () => {
    const { status } = await call('GET', '/runners/router/discovery', undefined, { 'RUNNER-TOKEN': runner.token });
    expect([404, 501]).toContain(status);
  });

  it.each(['header', 'body', 'query', 'form'])('the token of a job counts in the %s', async (place) => {
    const job = await started();
    const path = `/jobs/${job.id}`;
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const ended =
      place === 'form'
        ? call('PUT', path, String(new URLSearchParams({ token: job.token, state: 'success' })), form)
        : json(
            'PUT',
            place === 'query' ? `${path}?token=${job.token}` : path,
            { state: 'success', checksum: 'crc32:00000000', output: {}, ...(place === 'body' && { token: job.token }) },
            place === 'header' ? jobHeaders(job) : {},
          );
    const { status, headers } = await ended;
    expect([status, headers['job-status']]).toEqual([200, 'success']);
  });

  it('a runner that was verified was not heard of yet, and one without a system id has a machine all the same', async () => {
    const fresh = await flagfall.newRunner();
    const shown = async () => (await flagfall.root({ path: `/runners/${fresh.id}` })).status;
    expect((await json('POST', '/runners/verify', { token: fresh.token, system_id: 's_1', info })).status).toBe(200);
    expect(await shown()).toBe('never_contacted');
    expect((await json('POST', '/jobs/request', { token: fresh.token, info: null })).status).toBe(204);
    expect(await shown()).toBe('online');
    expect(await flagfall.root({ path: `/runners/${fresh.id}/managers` })).toMatchObject([{ system_id: '<legacy>' }]);
  });

  it('a job goes on while its runner gets another token, is paused, has its machine forgotten and is removed', async () => {
    await project.trigger();
    const busy = await flagfall.newRunner();
    const job = await busy.start();
    const says = async (start: number) => {
      const report = await json('PUT', `/jobs/${job.id}`, { token: job.token, state: 'running' }, jobHeaders(job));
      const log = await call('PATCH', `/jobs/${job.id}/trace`, 'x', logHeaders(job, start, start));
      return [report.status, report.headers['job-status'], log.status];
    };
    const goesOn = [200, 'running', 202];
    const { body } = await json('POST', '/runners/reset_authentication_token', { token: busy.token });
    const { token } = JSON.parse(body) as { token: string };
    expect([await says(0), (await busy.request()).status]).toEqual([goesOn, 403]);
    await flagfall.root({ method: 'PUT', path: `/runners/${busy.id}`, json: { paused: true } });
    expect([await says(1), (await json('POST', '/jobs/request', { token })).status]).toEqual([goesOn, 204]);
    const machine = { token, system_id: 's_0123456789ab' };
    expect([(await json('DELETE', '/runners/managers', machine)).status, await says(2)]).toEqual([204, goesOn]);
    expect([(await json('DELETE', '/runners', { token })).status, await says(3)]).toEqual([204, goesOn]);
    await busy.end(job, 'success');
  });

  it('a job that is being canceled may still leave its artifacts, and one whose pipeline was deleted is refused', async () => {
    const job = await started();
    await project.post(`/jobs/${job.id}/cancel`);
    const form = new FormData();
    form.append('file', new Blob(['log of the failure']), 'artifacts.zip');
    const path = `/jobs/${job.id}/artifacts?artifact_format=zip&artifact_type=archive`;
    const upload = { method: 'POST', headers: jobHeaders(job), body: form };
    expect((await fetch(`${flagfall.url}/api/v4${path}`, upload)).status).toBe(201);
    await runner.end(job, 'failed');
    expect(await project.job(job)).toMatchObject({ status: 'canceled', artifacts_file: { size: 18 } });
    const gone = await started();
    await flagfall.root({
      method: 'DELETE',
      path: `/projects/${project.id}/pipelines/${gone.job_info.pipeline_id}`,
    });
    for (const state of ['running', 'success']) {
      const report = await json('PUT', `/jobs/${gone.id}`, { token: gone.token, state }, jobHeaders(gone));
      expect(report.status).toBe(403);
    }
    expect((await call('PATCH', `/jobs/${gone.id}/trace`, 'x', logHeaders(gone, 0, 0))).status).toBe(403);
  });

  it('a runner that is still getting ready may say so, and the job waits for it', async () => {
    await project.trigger();
    const job = await runner.take();
    const say = async (state: string) => {
      const { status, headers } = await json('PUT', `/jobs/${job.id}`, { token: job.token, state }, jobHeaders(job));
      return [status, headers['job-status']];
    };
    expect([await say('pending'), await say('pending'), await say('running')]).toEqual([
      [200, 'pending'],
      [200, 'pending'],
      [200, 'running'],
    ]);
    await runner.end(job, 'success');
  });

  it.each(['a report', 'a log'])('the first word may be %s that it could not even begin', async (word) => {
    await project.trigger();
    const job = await runner.take();
    if (word === 'a log') {
      const answer = await call('PATCH', `/jobs/${job.id}/trace`, 'no room\n', logHeaders(job, 0, 7));
      expect([answer.status, answer.headers.range]).toEqual([202, '0-8']);
    }
    const update = { token: job.token, state: 'failed', failure_reason: 'runner_system_failure' };
    const { status, headers } = await json('PUT', `/jobs/${job.id}`, update, jobHeaders(job));
    expect([status, headers['job-status']]).toEqual([200, 'failed']);
    expect(await project.job(job)).toMatchObject({ status: 'failed', failure_reason: 'runner_system_failure' });
  });

  it('where a log really ends is told whoever begins elsewhere, before the first byte too', async () => {
    const job = await started();
    const at = async (start: number, text: string) => {
      const range = logHeaders(job, start, start + text.length - 1);
      const { status, headers } = await call('PATCH', `/jobs/${job.id}/trace?debug_trace=false`, text, range);
      return [status, headers.range, headers['job-status'], headers['x-gitlab-trace-update-interval']];
    };
    expect(await at(5, 'later')).toEqual([416, '0-0', 'running', '3']);
    expect(await at(0, 'hello\n')).toEqual([202, '0-6', 'running', '3']);
    expect(await at(0, 'hello\n')).toEqual([416, '0-6', 'running', '3']);
    expect(await at(3, 'lo\nmore')).toEqual([416, '0-6', 'running', '3']);
    await runner.end(job, 'success');
    expect(await at(6, 'more')).toEqual([403, undefined, 'success', undefined]);
  });

  it('a job that nobody knows is refused with 403 and never with 404, which would not stop a runner', async () => {
    const job = { id: 999_999_999, token: 'glcbt-nobody' } as TakenJob;
    expect((await json('PUT', `/jobs/${job.id}`, { state: 'running' }, jobHeaders(job))).status).toBe(403);
    expect((await call('PATCH', `/jobs/${job.id}/trace`, 'x', logHeaders(job, 0, 0))).status).toBe(403);
  });

  it('a log that shows every variable is for Developers', async () => {
    const reporter = await flagfall.newUser('reporter');
    const developer = await flagfall.newUser('developer');
    await flagfall.join(project, reporter, 20);
    await flagfall.join(project, developer, 30);
    const job = await started();
    const read = async ({ token }: { token: string }) =>
      (await flagfall.call({ path: `/projects/${project.id}/jobs/${job.id}/trace`, token })).status;
    await call('PATCH', `/jobs/${job.id}/trace?debug_trace=false`, 'one ', logHeaders(job, 0, 3));
    expect(await read(reporter)).toBe(200);
    await call('PATCH', `/jobs/${job.id}/trace?debug_trace=true`, 'two', logHeaders(job, 4, 6));
    await runner.end(job, 'success');
    expect([await read(reporter), await read(developer)]).toEqual([403, 200]);
  });
});

it('403 would park a runner for an hour: while the pipeline service is away the answer is 503 with Retry-After', async () => {
  const [service] = flagfall.installation.pipelineServices;
  await service!.end();
  const { status, headers } = await json('POST', '/jobs/request', { token: runner.token, info, system_id: 's_1' });
  expect([status, headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)]);
  await service!.start();
});
