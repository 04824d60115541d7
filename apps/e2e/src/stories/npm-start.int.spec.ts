import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { must } from '../testing/api.js';
import { freePorts } from '../testing/free-port.js';
import { root } from '../testing/installation.js';
import { describeWith } from '../testing/installed.js';
import { memoryOf, Program } from '../testing/program.js';

const run = promisify(execFile);
const buildLimitMs = 300_000;
const shellLimitMs = 60_000;
const memoryMib = 400;

/**
 * What somebody does who has found the project: clones it, starts it, pastes the line, looks at the log. Dependencies and what the compiler made
 * are brought along, so that nothing is installed and the build has little to do; a fresh clone that has neither is what runs all tests in CI.
 */
describeWith([['curl']])('npm start in a fresh clone', () => {
  let directory: string;
  let clone: string;
  let url: string;
  let start: Program;

  const npmStart = (name: string, port: number) =>
    new Program({
      name,
      command: 'npm',
      args: ['start'],
      cwd: clone,
      env: { PATH: process.env.PATH, HOME: directory, PORT: String(port) },
      ready: /Ctrl-C stops it\./,
      startMs: buildLimitMs,
    });

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'flagfall-clone-')));
    clone = join(directory, 'flagfall');
    await run('git', ['clone', '--quiet', root, clone]);
    await symlink(join(root, 'node_modules'), join(clone, 'node_modules'));
    await cp(join(root, 'dist'), join(clone, 'dist'), { recursive: true });
    await rm(join(clone, 'dist/.built'));
    const [port] = (await freePorts(1)) as [number];
    url = `http://127.0.0.1:${port}`;
    start = npmStart('npm start', port);
  });

  afterAll(async () => {
    await start?.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  const line = () => /^ +(curl .+)$/m.exec(start.output)![1]!;
  const call = async (path: string) =>
    must(url, { path, token: (await readFile(join(clone, 'data/root-token'), 'utf8')).trim() });

  it('builds and says so, prints a line, and the line starts a pipeline whose log can be read', async () => {
    await start.start();
    expect(start.output).toContain('flagfall: building …');
    const { stdout } = await run('/bin/sh', ['-c', line()], { timeout: shellLimitMs });
    const { id, project_id, web_url } = JSON.parse(stdout);
    expect(web_url).toBe(`${url}/demo/app/-/pipelines/${id}`);
    await until(
      'the pipeline to succeed',
      async () => (await call(`/projects/${project_id}/pipelines/${id}`)).status === 'success',
      shellLimitMs,
    );
    const jobs: { id: number; name: string }[] = await call(`/projects/${project_id}/pipelines/${id}/jobs`);
    expect(jobs.map(({ name }) => name)).toEqual(['upload_package', 'build_package', 'run_tests']);
    expect(await call(`/projects/${project_id}/jobs/${jobs.at(-1)?.id}/trace`)).toContain('1 test passed');
  }, 600_000);

  it('needs little memory while nothing happens', async () => {
    const used = await until('the memory to be small', () => {
      const mib = memoryOf(start.pid) ?? 0;
      return mib < memoryMib && { mib };
    });
    console.log(`npm start and all of its processes, idle: ${used.mib.toFixed(0)} MiB`);
  });

  it('is not started beside itself on the same data', async () => {
    const [port] = (await freePorts(1)) as [number];
    const second = npmStart('a second one', port);
    await expect(second.start()).rejects.toThrow(
      `The data directory ${clone}/data is in use by another Flagfall (process `,
    );
    expect(second.output).toContain('Stop that one first, or set DATA_DIR (and PORT) to start a second one beside it.');
    expect(await call('/version')).toMatchObject({ version: expect.any(String) });
  });

  it('ends cleanly with Ctrl-C, and finds everything again without doing anything twice', async () => {
    const before = line();
    expect(await start.end('SIGINT')).toBe(0);
    const from = start.output.length;
    await start.start();
    const output = start.output.slice(from);
    expect(output).not.toContain('flagfall:');
    expect(output).toContain(before);
    expect(await call('/projects/1/pipelines')).toMatchObject([{ status: 'success' }]);
    expect(await start.end('SIGINT')).toBe(0);
  });
});
