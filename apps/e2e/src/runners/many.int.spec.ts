// needs: rabbitmq, postgresql
import { createHash, randomBytes } from 'node:crypto';
import { request as send } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import { memoryOf } from '../testing/program.js';
import type { Project } from '../testing/project.js';

/** Many jobs, and large ones, on an installation of two replicas of everything. */
const flagfall = startsFlagfall({
  name: 'many',
  gateways: 2,
  pipelineServices: 2,
  environment: { REQUEST_HOLD_MS: '2000', JOB_LOG_LIMIT_MIB: '256' },
});

const mebibyte = 1_048_576;

it('200 jobs of four projects over 20 runners: each runs once, and no project waits for another', async () => {
  const files = { '.gitlab-ci.yml': 'job: { script: [make], parallel: 50 }' };
  const projects: Project[] = [];
  for (let count = 0; count < 4; count += 1) projects.push(await flagfall.newProject({ files }));
  const runners: HandRunner[] = [];
  for (let index = 0; index < 20; index += 1)
    runners.push(await flagfall.newRunner({ url: flagfall.installation.urls[index % 2] }));
  const pipelines = await Promise.all(projects.map((project) => project.trigger()));
  const taken: TakenJob[] = [];
  await Promise.all(
    runners.map(async (runner, index) => {
      for (const machine = runner.machine(`s_${index}`); taken.length < 200;) {
        const { status, body: job } = await machine.request();
        if (status !== 201) continue;
        taken.push(job);
        await machine.put(job, { state: 'running', output: {} });
        await machine.log(job, 'done\n');
        await machine.end(job, 'success');
      }
    }),
  );
  expect(new Set(taken.map(({ id }) => id)).size).toBe(200);
  expect(taken).toHaveLength(200);
  for (const [index, project] of projects.entries()) {
    expect((await project.finished(pipelines[index].id)).status).toBe('success');
    // While all of them wait, each gets about a quarter.
    const share = taken.slice(0, 80).filter(({ job_info }) => job_info.project_id === project.id).length;
    expect(share).toBeGreaterThan(10);
    expect(share).toBeLessThan(30);
  }
}, 180_000);

describe('memory stays flat', () => {
  let project: Project;
  let runner: HandRunner;
  /** In MiB. */
  const allowed = 150;

  beforeAll(async () => {
    project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: { script: [make] }' } });
    runner = await flagfall.newRunner({ project });
  });

  /** How much the first gateway grows meanwhile, at most, in MiB. */
  async function growth(work: () => Promise<void>): Promise<number> {
    const { pid } = flagfall.installation.gateways[0]!;
    const before = memoryOf(pid) ?? 0;
    let most = before;
    const looking = setInterval(() => (most = Math.max(most, memoryOf(pid) ?? 0)), 500);
    await work().finally(() => clearInterval(looking));
    return most - before;
  }

  /** Past the door, which keeps texts to check them. @returns the status, and the SHA-256 of what came */
  function transfer(method: string, path: string, headers: Record<string, string>, body?: AsyncIterable<Buffer>) {
    return new Promise<{ status: number; sha256: string; size: number }>((resolve, reject) => {
      const options = {
        port: flagfall.installation.ports[0],
        host: '127.0.0.1',
        path: `/api/v4${path}`,
        method,
        headers,
      };
      const sent = send(options, (answer) => {
        const hash = createHash('sha256');
        let size = 0;
        answer.on('data', (piece: Buffer) => {
          hash.update(piece);
          size += piece.length;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, sha256: hash.digest('hex'), size }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      if (body) pipeline(Readable.from(body), sent).catch(reject);
      else sent.end();
    });
  }

  async function started(): Promise<TakenJob> {
    await project.trigger();
    return runner.start();
  }

  it('while a log of 200 MB comes in, and is packed and read', async () => {
    const job = await started();
    const piece = Buffer.from(
      `${randomBytes(mebibyte / 2)
        .toString('hex')
        .slice(0, -1)}\n`,
    );
    const hash = createHash('sha256');
    const path = `/projects/${project.id}/jobs/${job.id}/trace`;
    const reader = { 'PRIVATE-TOKEN': flagfall.rootToken };
    const grown = await growth(async () => {
      for (let index = 0; index < 200; index += 1) {
        hash.update(piece);
        const range = `${index * mebibyte}-${(index + 1) * mebibyte - 1}`;
        const headers = { 'JOB-TOKEN': job.token, 'Content-Type': 'text/plain', 'Content-Range': range };
        const once = Readable.from([piece]);
        expect((await transfer('PATCH', `/jobs/${job.id}/trace`, headers, once)).status).toBe(202);
      }
      const sha256 = hash.digest('hex');
      expect(await transfer('GET', path, reader)).toEqual({ status: 200, sha256, size: 200 * mebibyte });
      await runner.end(job, 'success');
      await until('the log to be packed', async () => {
        const url = `http://127.0.0.1:${flagfall.installation.ports[0]}/api/v4${path}`;
        const answer = await fetch(url, { headers: reader });
        await answer.body?.cancel();
        return answer.headers.get('content-encoding') === 'gzip';
      });
      expect(await transfer('GET', path, reader)).toEqual({ status: 200, sha256, size: 200 * mebibyte });
    });
    expect(grown).toBeLessThan(allowed);
  }, 180_000);

  it('while an artifact of 2 GB comes in and goes out', async () => {
    const job = await started();
    const piece = randomBytes(mebibyte);
    const hash = createHash('sha256');
    async function* form(): AsyncIterable<Buffer> {
      yield Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="large.zip"\r\n\r\n');
      for (let index = 0; index < 2_048; index += 1) {
        hash.update(piece);
        yield piece;
      }
      yield Buffer.from('\r\n--b--\r\n');
    }
    const token = { 'JOB-TOKEN': job.token };
    const grown = await growth(async () => {
      const type = { ...token, 'Content-Type': 'multipart/form-data; boundary=b' };
      expect((await transfer('POST', `/jobs/${job.id}/artifacts`, type, form())).status).toBe(201);
      const back = await transfer('GET', `/jobs/${job.id}/artifacts`, token);
      expect(back).toEqual({ status: 200, sha256: hash.digest('hex'), size: 2_048 * mebibyte });
    });
    expect(grown).toBeLessThan(allowed);
    await runner.end(job, 'success');
  }, 300_000);
});

it('a job gets submodules of other projects, whichever replicas serve the clone', async () => {
  const inner = await flagfall.newProject({ path: 'inner', files: { 'inner.txt': 'from the inner one' } });
  const middle = await flagfall.newProject({ path: 'middle', files: { 'middle.txt': 'from the middle' } });
  const outer = await flagfall.newProject({
    path: 'outer',
    files: {
      '.gitlab-ci.yml': `
job:
  variables: { GIT_SUBMODULE_STRATEGY: recursive }
  script: [cat lib/middle.txt lib/deep/inner.txt]
`,
    },
  });
  const add = async (into: Project, of: Project, at: string) => {
    const sha = await of.repository.git('rev-parse', 'HEAD');
    const name = of.path.split('/')[1]!;
    // As on GitLab: beside this project, whatever the host is called.
    await into.repository.commit({ '.gitmodules': `[submodule "${name}"]\n\tpath = ${at}\n\turl = ../${name}.git\n` });
    await into.repository.git('update-index', '--add', '--cacheinfo', `160000,${sha},${at}`);
    await into.repository.git('commit', '--quiet', '--message', `With ${name}`);
  };
  await add(middle, inner, 'deep');
  await add(outer, middle, 'lib');
  await flagfall.startRunner();
  for (let time = 0; time < 4; time += 1) {
    const { id } = await outer.trigger();
    await outer.finished(id);
    const log = await outer.log(id, 'job');
    expect(log).toContain('from the middle');
    expect(log).toContain('from the inner one');
  }
}, 120_000);
