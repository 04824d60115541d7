import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Runner, type RunnerOptions } from '../runner.js';
import { RUNNER_TOKEN, StrictCoordinator, type CoordinatorJob } from '../testing/strict-coordinator.js';

let coordinator: StrictCoordinator;
let root: string;
let runner: Runner | undefined;

beforeEach(async () => {
  coordinator = await StrictCoordinator.start();
  root = await mkdtemp(join(tmpdir(), 'artifacts-'));
});

afterEach(async () => {
  await runner?.stop(0);
  runner = undefined;
  await coordinator.crash();
  await rm(root, { recursive: true, force: true });
  expect(coordinator.violations).toEqual([]);
});

const archive = {
  name: 'dist',
  paths: ['dist/'],
  artifact_type: 'archive',
  artifact_format: 'zip',
  when: 'on_success',
};

function startRunner(options: Partial<RunnerOptions> = {}): void {
  runner = new Runner({
    url: coordinator.url,
    token: RUNNER_TOKEN,
    buildsDir: root,
    say: () => undefined,
    ...options,
  });
  runner.start();
}

async function run(script: string[], payload: Record<string, any> = {}): Promise<CoordinatorJob> {
  const job = coordinator.enqueue(script, payload);
  if (!runner) startRunner();
  await coordinator.ended(job);
  return job;
}

async function list(job: CoordinatorJob, index = 0): Promise<string[]> {
  const path = join(root, 'listed.zip');
  await writeFile(path, job.artifacts[index]!.bytes);
  const { stdout } = await promisify(execFile)('unzip', ['-Z1', path]);
  return stdout.trim().split('\n');
}

describe('upload', () => {
  test('an archive, with its name, expiry, exclusions and variables', async () => {
    const job = await run(['mkdir -p dist/sub', 'touch dist/a.js dist/a.map dist/sub/b.js'], {
      artifacts: [
        {
          ...archive,
          name: 'app-$CI_COMMIT_REF_SLUG',
          paths: ['$OUT/', 'absent'],
          exclude: ['$OUT/*.map'],
          expire_in: '1 week',
        },
      ],
      variables: [
        { key: 'CI_COMMIT_REF_SLUG', value: 'main' },
        { key: 'OUT', value: 'dist' },
      ],
    });
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.artifacts[0]).toMatchObject({
      query: { artifact_format: 'zip', artifact_type: 'archive', expire_in: '1 week' },
      fileName: 'app-main.zip',
    });
    expect(await list(job)).toEqual(['dist/', 'dist/a.js', 'dist/sub/', 'dist/sub/b.js']);
    expect(job.text).toMatch(
      /section_start:\d+:upload_artifacts_on_success\r<ESC>\[0K.*Uploading artifacts for successful job/,
    );
    expect(job.text).toContain('dist/: found 4 matching artifact files and directories\n');
    expect(job.text).toContain(
      'WARNING: absent: no matching files. Ensure that the artifact path is relative to the working directory',
    );
    expect(job.text).toContain('dist/*.map: excluded 1 files\n');
    expect(job.text).toContain('Uploading artifacts as "archive" to coordinator... 201 Created');
  });

  test('when: an entry is uploaded after success, failure, or either', async () => {
    const entries = ['on_success', 'on_failure', 'always'].map((when) => ({ ...archive, name: when, when }));
    const script = 'mkdir dist; touch dist/x';
    const good = await run([script], { artifacts: entries });
    const bad = await run([`${script}-2; exit 3`], {
      artifacts: entries,
      variables: [{ key: 'GIT_STRATEGY', value: 'empty' }],
    });
    expect(good.artifacts.map(({ fileName }) => fileName)).toEqual(['on_success.zip', 'always.zip']);
    expect(bad.artifacts.map(({ fileName }) => fileName)).toEqual(['on_failure.zip', 'always.zip']);
    expect(bad.text).toMatch(
      /section_start:\d+:upload_artifacts_on_failure\r<ESC>\[0K.*Uploading artifacts for failed job/,
    );
    expect(bad.final).toMatchObject({ state: 'failed', exit_code: 3 });
  });

  test('reports: gzip with one member for each file, raw as it is, each a request of its own', async () => {
    const report = { when: 'always', expire_in: '1 week' };
    const job = await run(
      ['echo "<a/>" > a.xml; echo "<b/>" > b.xml; echo "[]" > q.json; echo VERSION=7 > build.env'],
      {
        artifacts: [
          { ...report, name: 'junit.xml', paths: ['*.xml'], artifact_type: 'junit', artifact_format: 'gzip' },
          {
            ...report,
            name: 'gl-code-quality-report.json',
            paths: ['q.json'],
            artifact_type: 'codequality',
            artifact_format: 'raw',
          },
          { ...report, name: '.env', paths: ['build.env'], artifact_type: 'dotenv', artifact_format: 'gzip' },
        ],
      },
    );
    const [junit, quality, dotenv] = job.artifacts;
    expect(junit).toMatchObject({
      fileName: 'junit.xml.gz',
      query: { artifact_type: 'junit', artifact_format: 'gzip' },
    });
    expect(gunzipSync(junit!.bytes).toString()).toBe('<a/>\n<b/>\n');
    expect(quality).toMatchObject({ fileName: 'gl-code-quality-report.json', query: { artifact_format: 'raw' } });
    expect(quality!.bytes.toString()).toBe('[]\n');
    expect(dotenv!.fileName).toBe('.env.gz');
    expect(gunzipSync(dotenv!.bytes).toString()).toBe('VERSION=7\n');
  });

  test('without a file nothing is sent, and the job goes on', async () => {
    const job = await run(['true'], { artifacts: [archive] });
    expect(job.artifacts).toEqual([]);
    expect(job.text).toContain('ERROR: No files to upload');
    expect(job.final).toMatchObject({ state: 'success' });
  });

  test('nothing outside of the project is sent', async () => {
    await writeFile(join(root, 'secret'), 'secret');
    const job = await run(['mkdir dist; ln -s "$CI_BUILDS_DIR" dist/up; touch dist/x'], {
      artifacts: [{ ...archive, paths: ['dist/', 'dist/up/secret', '../../../secret'] }],
    });
    expect(await list(job)).toEqual(['dist/', 'dist/up', 'dist/x']);
    expect(job.text).toContain('artifact path is not a subpath of project directory: ../../../secret');
  });

  test.each([
    [413, 'too large for the coordinator'],
    [403, 'does not take artifacts of this job'],
  ])('%i is final, and fails the job that had succeeded', async (status, message) => {
    let tries = 0;
    coordinator.intercept = (method, path) =>
      method === 'POST' && path.endsWith('/artifacts') && ++tries ? { status } : undefined;
    const job = await run(['mkdir dist; head -c 3000000 /dev/urandom > dist/x'], {
      artifacts: [archive, { ...archive, name: 'other' }],
    });
    // One try for each entry: the first one's failure does not keep the second.
    expect(tries).toBe(2);
    expect(job.text).toContain(message);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure', exit_code: 1 });
  });

  test('a failed upload does not change how a failed job failed', async () => {
    coordinator.intercept = (method, path) =>
      method === 'POST' && path.endsWith('/artifacts') ? { status: 413 } : undefined;
    const job = await run(['mkdir dist; touch dist/x; exit 7'], { artifacts: [{ ...archive, when: 'always' }] });
    expect(job.final).toMatchObject({ state: 'failed', exit_code: 7 });
  });

  test('trouble is tried again after the time that the coordinator asks for, with the whole content', async () => {
    const answers = [{ status: 503, headers: { 'Retry-After': '1' } }, 'drop' as const];
    const times: number[] = [];
    coordinator.intercept = (method, path) => {
      if (method !== 'POST' || !path.endsWith('/artifacts')) return undefined;
      times.push(Date.now());
      return answers.shift();
    };
    const job = await run(['mkdir dist; echo content > dist/x'], { artifacts: [archive] });
    expect(times).toHaveLength(3);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1000);
    expect(await list(job)).toEqual(['dist/', 'dist/x']);
    expect(job.final).toMatchObject({ state: 'success' });
  });

  test('what stays in trouble fails the job after some tries', async () => {
    let tries = 0;
    coordinator.intercept = (method, path) =>
      method === 'POST' && path.endsWith('/artifacts') && ++tries
        ? { status: 500, headers: { 'Retry-After': '0' } }
        : undefined;
    const job = await run(['mkdir dist; touch dist/x'], { artifacts: [archive] });
    expect(tries).toBe(3);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure' });
  });

  test('307 repeats the upload at the scheme and host of the location', async () => {
    const other = await StrictCoordinator.start();
    coordinator.intercept = (method, path) =>
      method === 'POST' && path.endsWith('/artifacts')
        ? { status: 307, headers: { Location: `${other.url}/somewhere/else` } }
        : undefined;
    // The same job, known at both.
    const job = coordinator.enqueue(['mkdir dist; touch dist/x'], { artifacts: [archive] });
    other.jobs.set(job.id, job);
    runner = new Runner({ url: coordinator.url, token: RUNNER_TOKEN, buildsDir: root, say: () => undefined });
    runner.start();
    await coordinator.ended(job);
    expect(other.requests.map(({ path }) => path)).toEqual([`jobs/${job.id}/artifacts`]);
    expect(await list(job)).toEqual(['dist/', 'dist/x']);
    await other.crash();
    expect(other.violations).toEqual([]);
  });

  test('a cancel keeps the artifacts of a failed job', async () => {
    const job = coordinator.enqueue(['mkdir dist; touch dist/x', 'echo begun', 'sleep 60'], {
      artifacts: [{ ...archive, when: 'on_failure' }],
    });
    runner = new Runner({ url: coordinator.url, token: RUNNER_TOKEN, buildsDir: root, say: () => undefined });
    runner.start();
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    job.status = 'canceling';
    await coordinator.ended(job);
    expect(job.artifacts).toHaveLength(1);
    expect(job.final).toMatchObject({ failure_reason: 'job_canceled' });
  });

  test('a large file is packed as it is sent: memory does not grow with it', async () => {
    coordinator.keepsArtifacts = false;
    const size = 400 * 1024 * 1024;
    const job = coordinator.enqueue([`mkdir dist; head -c ${size} /dev/zero > dist/big`], {
      artifacts: [
        { ...archive },
        { ...archive, name: 'raw', paths: ['dist/big'], artifact_type: 'metrics', artifact_format: 'raw' },
      ],
    });
    const program = join(import.meta.dirname, '../../../../dist/apps/runner/src/main.js');
    const child = spawn(process.execPath, [program, '--once', '--url', coordinator.url, '--builds-dir', root], {
      env: { PATH: process.env['PATH'], RUNNER_TOKEN },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    let peak = 0;
    const watched = setInterval(() => {
      void readFile(`/proc/${child.pid}/status`, 'utf8').then(
        (status) => (peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)),
        () => undefined,
      );
    }, 20);
    await Promise.all([
      coordinator.until(() => job.final !== undefined, 120_000),
      new Promise((resolve) => child.on('exit', resolve)),
    ]);
    clearInterval(watched);
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.artifacts[1]!.size).toBe(size);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(size / 2);
  }, 150_000);
});

describe('download', () => {
  const producing = { artifacts: [archive] };

  test('archives of earlier jobs are unpacked before the script, later ones over earlier ones', async () => {
    const first = await run(
      ['mkdir -p dist; echo one > dist/a; echo one > dist/b; chmod 755 dist/b; ln -s a dist/l'],
      producing,
    );
    const second = await run(['rm -rf dist; mkdir -p dist; echo two > dist/a'], producing);
    const job = await run(['cat dist/a dist/b; stat -c %a dist/b; readlink dist/l'], {
      dependencies: [
        coordinator.dependencyOn(first, 'first'),
        coordinator.dependencyOn(second, 'second'),
        { id: 1, name: 'without an archive', token: 'glcbt-x' },
      ],
      variables: [{ key: 'GIT_STRATEGY', value: 'empty' }],
    });
    expect(job.text).toContain('\ntwo\none\n755\na\n');
    expect(job.text).toMatch(/section_start:\d+:download_artifacts\r<ESC>\[0K.*Downloading artifacts/);
    expect(job.text).toContain(`Downloading artifacts for first (${first.id})...`);
    expect(job.text).not.toContain('without an archive');
    expect(job.text).not.toContain('glcbt-reads');
    expect((await readdir(join(root, '.flagfall'))).sort()).toEqual(expect.arrayContaining(['cache', 'system-id']));
    expect((await readdir(join(root, '.flagfall'))).filter((name) => name.startsWith('archive'))).toEqual([]);
  });

  test('a bomb fails its job and says why, however many archives it comes in; an archive that lies fails its own; the runner goes on', async () => {
    startRunner({ unpackLimit: { bytes: 3 * 1024 ** 2, entries: 100 } });
    const half = await run(['mkdir dist; head -c 2M /dev/zero > dist/half'], producing);
    const liar = await run(['rm -rf dist; mkdir dist; head -c 1M /dev/zero > dist/liar'], producing);
    const { bytes } = liar.artifacts[0]!;
    bytes.writeUInt32LE(10, bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 24);
    const empty = { variables: [{ key: 'GIT_STRATEGY', value: 'empty' }] };
    const needs = (...jobs: CoordinatorJob[]) => ({
      ...empty,
      dependencies: jobs.map((one) => coordinator.dependencyOn(one)),
    });
    const two = await run(['echo never'], needs(half, half));
    expect(two.text).toContain(
      'unpacked it would take more than the 1 MiB that are left to this job of what its runner allows (RUNNER_UNPACK_LIMIT)',
    );
    expect(two.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure' });
    const lied = await run(['echo never'], needs(liar));
    expect(lied.text).toMatch(/could not be had: too many bytes in the stream/);
    for (const { text } of [two, lied]) expect(text).not.toContain('never\n');
    expect((await run(['stat -c %s dist/half'], needs(half))).text).toContain('\n2097152\n');
  });

  test('a store that the coordinator redirects to gets no token', async () => {
    const first = await run(['mkdir dist; echo content > dist/a'], producing);
    const seen: http.IncomingHttpHeaders[] = [];
    const store = http.createServer((request, response) => {
      seen.push(request.headers);
      response.end(first.artifacts[0]!.bytes);
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(store.address() as AddressInfo).port}/bucket/object?signature=x`;
    coordinator.intercept = (method) =>
      method === 'GET' ? { status: 302, headers: { Location: location } } : undefined;
    const job = await run(['cat dist/a'], {
      dependencies: [coordinator.dependencyOn(first)],
      variables: [{ key: 'GIT_STRATEGY', value: 'empty' }],
    });
    store.closeAllConnections();
    await new Promise((resolve) => store.close(resolve));
    expect(job.text).toContain('\ncontent\n');
    expect(seen).toHaveLength(1);
    expect(seen[0]).not.toHaveProperty('job-token');
  });

  test.each([
    [404, 'there are none any more'],
    [403, 'this job may not read them'],
    [401, 'this job may not read them'],
  ])('%i is final and fails the job, without script and after_script', async (status, message) => {
    coordinator.intercept = (method) => (method === 'GET' ? { status } : undefined);
    const earlier = coordinator.enqueue(['true']);
    const job = await run(['echo never'], {
      dependencies: [coordinator.dependencyOn(earlier)],
      moreSteps: [{ name: 'after_script', script: ['echo never'] }],
    });
    expect(coordinator.requests.filter(({ method }) => method === 'GET')).toHaveLength(1);
    expect(job.text).toContain(message);
    expect(job.text).not.toContain('never\n');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure', exit_code: 1 });
  });

  test('trouble is tried twice more, a broken transfer too; then the whole download by ARTIFACT_DOWNLOAD_ATTEMPTS', async () => {
    const first = await run(['mkdir dist; echo content > dist/a'], producing);
    const answers = [{ status: 502 }, 'drop' as const, { status: 500 }, undefined];
    coordinator.intercept = (method) => (method === 'GET' ? answers.shift() : undefined);
    const strict = coordinator.violations.length;
    const job = await run(['cat dist/a'], {
      dependencies: [coordinator.dependencyOn(first)],
      variables: [
        { key: 'GIT_STRATEGY', value: 'empty' },
        { key: 'ARTIFACT_DOWNLOAD_ATTEMPTS', value: '2' },
      ],
    });
    expect(coordinator.violations.slice(strict)).toEqual([]);
    expect(answers).toEqual([]);
    expect(job.text).toContain('\ncontent\n');
  });

  test('an archive that wants to write elsewhere fails the job', async () => {
    const first = await run(['mkdir dist; touch dist/a'], producing);
    const slip = Buffer.from(first.artifacts[0]!.bytes.toString('latin1').replaceAll('dist/a', '../slp'), 'latin1');
    first.artifacts[0]!.bytes = slip;
    await mkdir(join(root, 'k3Zp0Yt7Q', '0'), { recursive: true });
    const job = await run(['echo never'], { dependencies: [coordinator.dependencyOn(first)] });
    expect(job.text).toContain('invalid relative path');
    expect(job.final).toMatchObject({ state: 'failed' });
    await expect(stat(join(root, 'k3Zp0Yt7Q', '0', 'slp'))).rejects.toThrow('ENOENT');
  });
});
