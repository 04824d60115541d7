// needs: rabbitmq
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';
import { zip } from '../testing/zip.js';

const config = `
stages: [build, test]
build:
  stage: build
  script: [make]
  artifacts:
    name: dist
    paths: [dist/]
    expire_in: 1 week
    reports: { dotenv: build.env, junit: report.xml }
test:
  stage: test
  script: [make test]
lonely:
  stage: test
  script: [make test]
  dependencies: []
`;

const flagfall = startsFlagfall({ name: 'artifacts', environment: { ARTIFACT_LIMIT_MIB: '1' } });
let app: Project;
let runner: HandRunner;

beforeAll(async () => {
  app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
  runner = await flagfall.newRunner({ project: app });
});

/** The job `build` of a new pipeline. */
async function begin(): Promise<TakenJob> {
  await app.trigger();
  const job = await runner.start();
  expect(job.job_info.name).toBe('build');
  return job;
}

/** Takes and ends what is left of a pipeline. @returns the payloads by name */
async function finish(build: TakenJob): Promise<Record<string, TakenJob>> {
  await runner.end(build, 'success');
  const rest = [await runner.start(), await runner.start()];
  for (const job of rest) await runner.end(job, 'success');
  return Object.fromEntries(rest.map((job) => [job.job_info.name, job]));
}

async function upload(
  job: TakenJob,
  bytes: Buffer,
  {
    query = {},
    filename = 'dist.zip',
    token = job.token,
  }: { query?: Record<string, string>; filename?: string; token?: string } = {},
) {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(bytes)]), filename);
  const answer = await fetch(`${flagfall.url}/api/v4/jobs/${job.id}/artifacts?${String(new URLSearchParams(query))}`, {
    method: 'POST',
    headers: { 'JOB-TOKEN': token },
    body: form,
  });
  return { status: answer.status, body: await answer.text() };
}

async function download(path: string, headers: Record<string, string> = { 'PRIVATE-TOKEN': flagfall.rootToken }) {
  const answer = await fetch(`${flagfall.url}/api/v4${path}`, { headers });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

const jobPath = (job: TakenJob) => `/projects/${app.id}/jobs/${job.id}`;

/** Names of all files in the storage of artifacts. */
async function stored(): Promise<string[]> {
  const directory = join(flagfall.installation.directory, 'storage/artifacts');
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('the archive of a job', () => {
  let build: TakenJob;
  let later: Record<string, TakenJob>;
  let archive: Buffer;

  beforeAll(async () => {
    archive = await zip({ 'dist/app.txt': 'hello', 'dist/deep/er/b.bin': 'x'.repeat(1000) });
    build = await begin();
    expect(await upload(build, archive, { query: { artifact_type: 'archive', artifact_format: 'zip', expire_in: '1 week' } })).toEqual({ status: 201, body: '201' }); // prettier-ignore
    const env = gzipSync('VERSION=1.2.3\nDOLLARS=$HOME costs $5\n');
    expect(await upload(build, env, { query: { artifact_type: 'dotenv', artifact_format: 'gzip' }, filename: '.env.gz' })).toMatchObject({ status: 201 }); // prettier-ignore
    later = await finish(build);
  }, 60_000);

  it('is asked for in the payload, beside the reports', () => {
    expect(build.artifacts).toEqual([
      { name: 'dist', untracked: false, paths: ['dist/'], when: 'on_success', expire_in: '1 week', artifact_type: 'archive', artifact_format: 'zip' },
      { name: 'junit.xml', paths: ['report.xml'], when: 'always', expire_in: '1 week', artifact_type: 'junit', artifact_format: 'gzip' },
      { name: '.env', paths: ['build.env'], when: 'always', expire_in: '1 week', artifact_type: 'dotenv', artifact_format: 'gzip' },
    ]); // prettier-ignore
  });

  it('is shown with its job', async () => {
    const job = await flagfall.root({ path: jobPath(build) });
    expect(job.artifacts_file).toEqual({ filename: 'dist.zip', size: archive.length });
    expect(job.artifacts).toEqual([
      { file_type: 'archive', size: archive.length, filename: 'dist.zip', file_format: 'zip' },
      expect.objectContaining({ file_type: 'dotenv', filename: '.env.gz', file_format: 'gzip' }),
    ]);
    const week = Date.parse(job.artifacts_expire_at) - Date.now();
    expect(week).toBeGreaterThan(6.9 * 86_400_000);
    expect(week).toBeLessThanOrEqual(7 * 86_400_000);
  });

  it('is downloaded, byte for byte', async () => {
    const { status, headers, bytes } = await download(`${jobPath(build)}/artifacts`);
    expect([status, headers.get('content-length'), headers.get('content-disposition')]).toEqual([
      200,
      String(archive.length),
      'attachment; filename="dist.zip"',
    ]);
    expect(bytes.equals(archive)).toBe(true);
  });

  it.each([
    ['a file', 'dist/app.txt', 200, 'hello'],
    ['one further down', 'dist/deep/er/b.bin', 200, 'x'.repeat(1000)],
    ['a directory', 'dist/deep', 404, '{"message":"404 Not Found"}'],
    ['nothing', 'dist/none', 404, '{"message":"404 Not Found"}'],
    ['an escape', '../../etc/passwd', 404, undefined],
    ['an encoded escape', '..%2F..%2Fetc%2Fpasswd', 404, '{"message":"404 Not Found"}'],
  ])('gives out %s', async (_, name, status, text) => {
    const answer = await download(`${jobPath(build)}/artifacts/${name}`);
    expect(answer.status).toBe(status);
    if (text !== undefined) expect(answer.bytes.toString()).toBe(text);
  });

  it('is found by ref and name of the job', async () => {
    const latest = `/projects/${app.id}/jobs/artifacts/main`;
    expect((await download(`${latest}/download?job=build`)).bytes.equals(archive)).toBe(true);
    expect((await download(`${latest}/raw/dist/app.txt?job=build`)).bytes.toString()).toBe('hello');
    expect((await download(`${latest}/download?job=nobody`)).status).toBe(404);
    expect((await download(`/projects/${app.id}/jobs/artifacts/a/b/download?job=build`)).status).toBe(404);
    expect((await download(`${latest}/download`)).bytes.toString()).toBe('{"error":"job is missing, job is empty"}');
  });

  it('goes to later jobs, with its variables, unless they do not want it', () => {
    expect(later['test'].dependencies).toEqual([
      { id: build.id, name: 'build', token: later['test'].token, artifacts_file: { filename: 'dist.zip', size: archive.length } },
    ]); // prettier-ignore
    const variables = (payload: TakenJob) =>
      payload.variables.filter(({ key }: { key: string }) => key === 'VERSION' || key === 'DOLLARS');
    expect(variables(later['test'])).toEqual([
      { key: 'VERSION', value: '1.2.3', public: false, masked: false },
      { key: 'DOLLARS', value: '$HOME costs $5', public: false, masked: false, raw: true },
    ]);
    expect(later['lonely'].dependencies).toEqual([]);
    expect(variables(later['lonely'])).toEqual([]);
  });

  it('is nobody else’s', async () => {
    expect((await download(`${jobPath(build)}/artifacts`, {})).status).toBe(401);
    expect((await download(`${jobPath(build)}/artifacts`, { 'JOB-TOKEN': build.token })).status).toBe(401);
    const other = await flagfall.newUser(`stranger${app.id}`);
    expect((await download(`${jobPath(build)}/artifacts`, { 'PRIVATE-TOKEN': other.token })).status).toBe(404);
  });
});

describe('uploads', () => {
  let job: TakenJob;
  beforeAll(async () => {
    job = await begin();
  });
  afterAll(() => finish(job));

  it('are refused to whoever has no token of a job that runs, before a byte of them is kept', async () => {
    const before = await stored();
    expect((await upload(job, Buffer.from('x'), { token: 'glcbt-unknown' })).status).toBe(403);
    const runsNoMore = await begin();
    await runner.end(runsNoMore, 'failed');
    expect((await upload(runsNoMore, Buffer.from('x'))).status).toBe(403);
    expect((await upload({ ...job, id: runsNoMore.id }, Buffer.from('x'))).status).toBe(403);
    expect(await stored()).toEqual(before);
  });

  it('of the same bytes may be repeated, of others not', async () => {
    const bytes = await zip({ a: '1' });
    expect((await upload(job, bytes)).status).toBe(201);
    const before = await stored();
    expect((await upload(job, bytes)).status).toBe(201);
    expect(await upload(job, await zip({ a: '2' }))).toEqual({
      status: 400,
      body: '{"message":"another artifact of the same type already exists"}',
    });
    expect(await stored()).toEqual(before);
  });

  it('that are too large leave nothing', async () => {
    const before = await stored();
    const answer = await upload(job, Buffer.alloc(1_100_000), {
      query: { artifact_type: 'sast', artifact_format: 'raw' },
    });
    expect(answer).toEqual({
      status: 413,
      body: '{"message":"413 Request Entity Too Large - the artifact is larger than 1048576 bytes"}',
    });
    expect(await stored()).toEqual(before);
  });

  it('that break off leave nothing', async () => {
    const before = await stored();
    const { hostname, port } = new URL(flagfall.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /api/v4/jobs/${job.id}/artifacts?artifact_type=sast HTTP/1.1\r\nHost: x\r\nJOB-TOKEN: ${job.token}\r\n` +
        'Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `${(200_000).toString(16)}\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n${'x'.repeat(100_000)}`,
    );
    await until('the upload to begin', async () => (await stored()).some((name) => name.endsWith('.part')));
    socket.destroy();
    await until('it to be gone', async () => String(await stored()) === String(before));
  });

  it.each<[string, string, string, string]>([
    ['no form', 'text/plain', 'hello', 'The request body is not a valid multipart form'],
    ['a form without a boundary', 'multipart/form-data', 'hello', 'The request body is not a valid multipart form'],
    ['a form that ends early', 'multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhel', 'The request body is not a valid multipart form'],
    ['a form without the file', 'multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nhel\r\n--b--\r\n', 'file is missing'],
  ])('of %s are refused', async (_, type, body, error) => {
    const answer = await fetch(`${flagfall.url}/api/v4/jobs/${job.id}/artifacts?artifact_type=dast`, {
      method: 'POST',
      headers: { 'JOB-TOKEN': job.token, 'Content-Type': type },
      body,
    });
    expect([answer.status, await answer.json()]).toEqual([400, { error }]);
  }); // prettier-ignore

  it.each<[string, Record<string, string>, string]>([
    ['an unknown type', { artifact_type: 'horoscope' }, 'artifact_type does not have a valid value'],
    ['an unknown format', { artifact_format: 'rar' }, 'artifact_format does not have a valid value'],
  ])('of %s are refused', async (_, query, error) => {
    expect(await upload(job, Buffer.from('x'), { query })).toEqual({ status: 400, body: JSON.stringify({ error }) });
  });

  it.each<[string, Buffer, string]>([
    ['no packed text', Buffer.from('A=1'), 'The dotenv report is not packed with gzip'],
    ['no variables', gzipSync('A=1\njust words'), 'Invalid Format: line 2 of the dotenv report is not NAME=value'],
    ['too many bytes', gzipSync(`A=${'x'.repeat(6_000)}`), 'The dotenv report is larger than 5120 bytes'],
  ])('of a dotenv report with %s are refused in words that runners show', async (_, bytes, message) => {
    const before = await stored();
    const answer = await upload(job, bytes, { query: { artifact_type: 'dotenv', artifact_format: 'gzip' } });
    expect(answer).toEqual({ status: 400, body: JSON.stringify({ message }) });
    expect(await stored()).toEqual(before);
  });

  it.each<[string, () => Promise<Buffer>]>([
    ['no archive', () => Promise.resolve(Buffer.from('no zip at all'))],
    ['half an archive', async () => (await zip({ a: 'x' })).subarray(0, 40)],
    // A name that leads out of the directory: packed under another one of the same length, which is then replaced.
    ['an archive with an escape', async () => Buffer.from((await zip({ aaaaaaaa: 'x' })).toString('latin1').replaceAll('aaaaaaaa', '../../..'), 'latin1')],
  ])('of %s are stored as they are, and no file is found in them', async (_, bytes) => {
    const own = await begin();
    expect((await upload(own, await bytes())).status).toBe(201);
    expect((await download(`${jobPath(own)}/artifacts/a`)).status).toBe(404);
    expect((await download(`${jobPath(own)}/artifacts`)).status).toBe(200);
    await runner.end(own, 'failed');
  }); // prettier-ignore

  it('have plain names, whatever they are called', async () => {
    const query = { artifact_type: 'terraform', artifact_format: 'raw' };
    expect((await upload(job, Buffer.from('{}'), { query, filename: '../../evil".json' })).status).toBe(201);
    const { artifacts } = await flagfall.root({ path: jobPath(job) });
    expect(artifacts).toContainEqual(expect.objectContaining({ file_type: 'terraform', filename: 'evil%22.json' }));
  });
});

describe('artifacts go', () => {
  async function built(query: Record<string, string> = {}): Promise<TakenJob> {
    const job = await begin();
    expect((await upload(job, await zip({ a: String(job.id) }), { query })).status).toBe(201);
    return job;
  }
  const gone = (job: TakenJob) => async () => (await download(`${jobPath(job)}/artifacts`)).status === 404;
  const bytesGone = (before: string[]) =>
    until('their bytes to be deleted', async () => (await stored()).length === before.length, 30_000);

  it('when their time is over, and then jobs miss them', async () => {
    const before = await stored();
    const job = await built({ expire_in: '1 sec' });
    await until('them to expire', gone(job), 30_000);
    await bytesGone(before);
    await runner.end(job, 'success');
    const lonely = await runner.start();
    expect(lonely.job_info.name).toBe('lonely');
    await runner.end(lonely, 'success');
    const jobs = await flagfall.root({ path: `/projects/${app.id}/pipelines/${job.job_info.pipeline_id}/jobs` });
    expect(jobs.find(({ name }: { name: string }) => name === 'test')).toMatchObject({
      status: 'failed',
      failure_reason: 'missing_dependency_failure',
    });
  }, 90_000);

  it('not when they are kept', async () => {
    const job = await built({ expire_in: '1 week' });
    const kept = await flagfall.root({ method: 'POST', path: `${jobPath(job)}/artifacts/keep` });
    expect(kept).toMatchObject({ id: job.id, artifacts_expire_at: null });
    await finish(job);
  });

  it.each<[string, (job: TakenJob) => Promise<unknown>]>([
    ['when they are deleted', (job) => flagfall.root({ method: 'DELETE', path: `${jobPath(job)}/artifacts` })],
    ['when their job is erased', (job) => flagfall.root({ method: 'POST', path: `${jobPath(job)}/erase` })],
    ['with their pipeline', (job) => flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/pipelines/${job.job_info.pipeline_id}` })],
  ])('%s', async (_, remove) => {
    const before = await stored();
    const job = await built();
    await finish(job);
    await remove(job);
    expect(await gone(job)()).toBe(true);
    await bytesGone(before);
  }, 60_000); // prettier-ignore

  it('with all others of their project', async () => {
    const job = await built();
    await finish(job);
    await flagfall.root({ method: 'DELETE', path: `/projects/${app.id}/artifacts` });
    expect(await gone(job)()).toBe(true);
    await until('all bytes to be deleted', async () => (await stored()).length === 0, 30_000);
  }, 60_000);
});
