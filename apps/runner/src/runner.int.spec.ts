import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Runner, type RunnerOptions } from './runner.js';
import { RUNNER_TOKEN, StrictCoordinator } from './testing/strict-coordinator.js';

let coordinator: StrictCoordinator;
let buildsDir: string;
let runner: Runner | undefined;
let said: string[];

beforeEach(async () => {
  coordinator = await StrictCoordinator.start();
  buildsDir = await mkdtemp(join(tmpdir(), 'runner-'));
  said = [];
});

afterEach(async () => {
  await runner?.stop(0);
  runner = undefined;
  await coordinator.crash();
  await rm(buildsDir, { recursive: true, force: true });
  expect(coordinator.violations).toEqual([]);
});

function startRunner(options: Partial<RunnerOptions> = {}): Runner {
  runner = new Runner({
    url: coordinator.url,
    token: RUNNER_TOKEN,
    buildsDir,
    name: 'test-host',
    environment: { PATH: process.env['PATH'], SECRET_OF_THE_SERVER: 'hunter2' },
    say: (line) => said.push(line),
    ...options,
  });
  runner.start();
  return runner;
}

test('a job runs from its request to its success', async () => {
  const job = coordinator.enqueue(['echo "hello from $CI_PROJECT_DIR"', 'echo to stderr > /dev/stderr']);
  startRunner({ maxBuilds: 1 });
  await coordinator.ended(job);
  await runner!.finished();

  expect(job.final).toMatchObject({ state: 'success' });
  expect(job.text).toMatch(
    /^Running with flagfall-runner 0\.1\.0\n {2}on test-host k3Zp0Yt7Q, system ID: r_[0-9a-f]{12}\n/,
  );
  expect(job.text).toContain('<ESC>[32;1m$ echo "hello from $CI_PROJECT_DIR"<ESC>[0;m\nhello from ');
  expect(job.text).toContain('\nto stderr\n');
  expect(job.text).toMatch(/section_start:\d{10}:get_sources\r<ESC>\[0K/);
  expect(job.text).toMatch(
    /section_start:\d{10}:step_script\r<ESC>\[0K.*Executing "step_script"[^]*section_end:\d{10}:step_script\r<ESC>\[0K/,
  );
  expect(job.text).toMatch(/Job succeeded\n$/);
  expect(said).toEqual([`job ${job.id} (test) of demo/app: taken`, `job ${job.id} (test) of demo/app: succeeded`]);
  expect(await readdir(join(buildsDir, '.flagfall'))).toEqual(['system-id']);
});

test('the first failing command ends the job with its exit code', async () => {
  const job = coordinator.enqueue(['echo one', '(exit 7)', 'echo never']);
  startRunner();
  await coordinator.ended(job);
  expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure', exit_code: 7 });
  expect(job.text).toContain('\none\n');
  expect(job.text).not.toContain('\nnever\n');
  expect(job.text).toMatch(/ERROR: Job failed: exit code 7\n$/);
});
