// needs: rabbitmq, postgresql
import { get, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { ZipFile } from 'yazl';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type S3Server, s3Credentials, startS3Server } from '../../../gateway/src/storage/testing/s3-server.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

interface Heard {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
}

const config = `
build: { stage: build, script: [make], artifacts: { paths: [dist/], reports: { dotenv: build.env } } }
test: { stage: test, script: [make test] }
`;

describe.each(['a directory', 'a bucket'])('with %s for logs and artifacts', (place) => {
  const environment: Record<string, string> = { REQUEST_HOLD_MS: '0' };
  let server: S3Server | undefined;
  if (place === 'a bucket')
    beforeAll(async () => {
      server = await startS3Server();
      Object.assign(environment, s3Credentials, { STORAGE_URL: server.url });
    });
  const flagfall = startsFlagfall({ name: 'logs', gateways: 2, environment });
  afterAll(() => server?.stop());

  let project: Project;
  let runner: HandRunner;
  /** The same runner, by way of the other gateway. */
  let elsewhere: (job: TakenJob, start: number, text: string) => Promise<{ status: number; range: string | null }>;

  beforeAll(async () => {
    project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    runner = await flagfall.newRunner();
    elsewhere = async (job, start, text) => {
      const answer = await fetch(`${flagfall.installation.urls[1]}/api/v4/jobs/${job.id}/trace`, {
        method: 'PATCH',
        headers: { 'JOB-TOKEN': job.token, 'Content-Type': 'text/plain', 'Content-Range': `${start}-` },
        body: text,
      });
      return { status: answer.status, range: answer.headers.get('range') };
    };
  });

  async function build(): Promise<TakenJob> {
    await project.trigger();
    return runner.start();
  }

  async function finish(job: TakenJob): Promise<void> {
    await runner.end(job, 'success');
    await runner.end(await runner.start(), 'success');
  }

  /** From either gateway, as bytes. */
  function read(path: string, headers: Record<string, string> = {}, gateway = 0): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const url = `${flagfall.installation.urls[gateway]}/api/v4/projects/${project.id}${path}`;
      get(url, { headers: { 'PRIVATE-TOKEN': flagfall.rootToken, ...headers } }, (answer) => {
        buffer(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, bytes }),
          reject,
        );
      }).on('error', reject);
    });
  }

  it('a log is read while it grows, from where one has read already, at every gateway', async () => {
    const job = await build();
    const path = `/jobs/${job.id}/trace`;
    const none = await read(path);
    expect([none.status, none.bytes.length]).toEqual([200, 0]);
    expect((await read(path, { Range: 'bytes=0-' })).status).toBe(416);
    await runner.patch(job, 0, 'one ');
    expect(await elsewhere(job, 4, 'two ')).toEqual({ status: 202, range: '0-8' });
    expect(await elsewhere(job, 4, 'two ')).toEqual({ status: 416, range: '0-8' });
    expect((await runner.patch(job, 8, 'three')).headers.get('range')).toBe('0-13');
    for (const gateway of [0, 1]) {
      expect(String((await read(path, {}, gateway)).bytes)).toBe('one two three');
      expect(String((await read(`${path}?offset=8`, {}, gateway)).bytes)).toBe('three');
      expect((await read(`${path}?offset=13`, {}, gateway)).bytes).toHaveLength(0);
    }
    const part = await read(path, { Range: 'bytes=4-' });
    expect([part.status, part.headers['content-range'], String(part.bytes)]).toEqual([
      206,
      'bytes 4-12/13',
      'two three',
    ]);
    const beyond = await read(path, { Range: 'bytes=13-' });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */13']);
    expect((await read(`${path}?offset=-1`)).status).toBe(400);
    await finish(job);
  });

  it('a log that is done is packed, and nobody notices who does not ask for it so', async () => {
    const job = await build();
    const log = `${'a line of a log\n'.repeat(100_000)}the end\n`;
    const mebibyte = 1_048_576;
    await runner.patch(job, 0, log.slice(0, mebibyte));
    await runner.patch(job, mebibyte, log.slice(mebibyte));
    await finish(job);
    const path = `/jobs/${job.id}/trace`;
    const packed = await until('the log to be packed', async () => {
      const heard = await read(path, { 'Accept-Encoding': 'br, gzip;q=0.5' });
      return heard.headers['content-encoding'] === 'gzip' && heard;
    });
    expect(packed.headers['content-type']).toBe('text/plain');
    expect(packed.headers.vary).toBe('Accept-Encoding');
    expect(packed.bytes.length).toBeLessThan(log.length / 50);
    expect(gunzipSync(packed.bytes).toString() === log).toBe(true);
    const plain = await read(path, { 'Accept-Encoding': 'gzip;q=0, identity' });
    expect([plain.headers['content-encoding'], plain.headers['content-length']]).toEqual([undefined, `${log.length}`]);
    expect(String(plain.bytes) === log).toBe(true);
    const end = await read(path, { Range: 'bytes=-8', 'Accept-Encoding': 'gzip' });
    expect([end.status, end.headers['content-range'], String(end.bytes)]).toEqual([
      206,
      `bytes ${log.length - 8}-${log.length - 1}/${log.length}`,
      'the end\n',
    ]);
    expect((await project.job(job)).artifacts).toEqual([
      expect.objectContaining({ file_type: 'trace', size: log.length }),
    ]);
    await project.post(`/jobs/${job.id}/erase`);
    expect((await read(path, { 'Accept-Encoding': 'gzip' })).bytes).toHaveLength(0);
  });

  it('artifacts go in and out, and to later jobs', async () => {
    const job = await build();
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from('hello'), 'dist/app.txt');
    zip.end();
    const archive = await buffer(zip.outputStream);
    const upload = async (bytes: Buffer, query: string) => {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(bytes)]), 'dist.zip');
      const url = `${flagfall.installation.urls[1]}/api/v4/jobs/${job.id}/artifacts?${query}`;
      return (await fetch(url, { method: 'POST', headers: { 'JOB-TOKEN': job.token }, body: form })).status;
    };
    expect(await upload(archive, 'artifact_type=archive')).toBe(201);
    expect(await upload(Buffer.from('VERSION=1.2.3\n'), 'artifact_type=dotenv&artifact_format=raw')).toBe(201);
    await runner.end(job, 'success');
    const later = await runner.start();
    expect(later.variables).toContainEqual(expect.objectContaining({ key: 'VERSION', value: '1.2.3' }));
    const ask = (query: string) =>
      fetch(`${flagfall.url}/api/v4/jobs/${job.id}/artifacts${query}`, {
        headers: { 'JOB-TOKEN': later.token },
        redirect: 'manual',
      });
    const bytes = async (answer: Response) => Buffer.from(await answer.arrayBuffer());
    const passed = await ask('');
    expect([passed.status, (await bytes(passed)).equals(archive)]).toEqual([200, true]);
    let direct = await ask('?direct_download=true');
    if (place === 'a bucket') {
      expect([direct.status, direct.headers.get('cache-control')]).toEqual([302, 'no-store']);
      const location = new URL(direct.headers.get('location')!);
      // Without the token of the job, which is none of the bucket's business.
      direct = await fetch(location);
      expect(direct.headers.get('content-disposition')).toBe('attachment; filename="dist.zip"');
      // This server looks at the time only; the signature is held against Amazon's own example elsewhere.
      location.searchParams.set('X-Amz-Date', '20200101T000000Z');
      expect((await fetch(location)).status).toBe(403);
    }
    expect([direct.status, (await bytes(direct)).equals(archive)]).toEqual([200, true]);
    expect(String((await read(`/jobs/${job.id}/artifacts/dist/app.txt`)).bytes)).toBe('hello');
    expect((await read(`/jobs/${job.id}/artifacts/dist/none`)).status).toBe(404);
    await runner.end(later, 'success');
    await flagfall.root({ method: 'DELETE', path: `/projects/${project.id}/jobs/${job.id}/artifacts` });
    expect((await read(`/jobs/${job.id}/artifacts`)).status).toBe(404);
  });
});
