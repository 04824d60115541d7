import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RUNNER_TOKEN, StrictCoordinator } from './testing/strict-coordinator.js';

const PROGRAM = join(import.meta.dirname, '../../../dist/apps/runner/src/main.js');

let coordinator: StrictCoordinator;
let root: string;
let children: ChildProcess[];

beforeEach(async () => {
  coordinator = await StrictCoordinator.start();
  root = await mkdtemp(join(tmpdir(), 'main-'));
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await coordinator.crash();
  await rm(root, { recursive: true, force: true });
  expect(coordinator.violations).toEqual([]);
});

/** @param by what starts it; by itself unless given */
function start(args: string[], env: Record<string, string> = {}, by: string[] = []) {
  const settings = { RUNNER_URL: coordinator.url, RUNNER_TOKEN, RUNNER_BUILDS_DIR: join(root, 'builds'), ...env };
  const [command = '', ...words] = [...by, process.execPath, PROGRAM, ...args];
  const child = spawn(command, words, { env: { PATH: process.env['PATH'], ...settings } });
  children.push(child);
  let output = '';
  const waiting = new Set<() => void>();
  const take = (chunk: Buffer) => {
    output += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const said = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!output.includes(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { child, ended, said, output: () => output };
}

test('progress: what it takes from where, each job, and how it ended', async () => {
  const good = coordinator.enqueue(['true']);
  const bad = coordinator.enqueue(['exit 3']);
  const { ended, output } = start(['--max-builds', '2', '--tags', 'linux,shell']);
  expect(await ended).toBe(0);
  expect(output()).toMatch(
    /^flagfall-runner \S+ k3Zp0Yt7Q takes jobs from http:\S+ \(1 at once, in a shell, builds in \S+, tags linux,shell\)\n/,
  );
  expect(output()).toContain(`job ${good.id} (test) of demo/app: taken\n`);
  expect(output()).toMatch(new RegExp(`job ${good.id} \\(test\\) of demo/app: succeeded \\(\\d+\\.\\d s\\)\n`));
  expect(output()).toMatch(
    new RegExp(`job ${bad.id} \\(test\\) of demo/app: failed, exit code 3 \\(\\d+\\.\\d s\\)\n`),
  );
});

test('files that whoever started the runner had open are not open in jobs, whatever their number', async () => {
  await writeFile(join(root, 'secret'), 'of the operator');
  const job = coordinator.enqueue(['ls -l /proc/self/fd', 'cat <&40 <&200 || true']);
  const opened = [
    'sh',
    '-c',
    'exec 5<"$0"; exec bash -c \'exec 40<"$0" 200<"$0"; exec "$@"\' "$0" "$@"',
    join(root, 'secret'),
  ];
  expect(await start(['--once'], {}, opened).ended).toBe(0);
  expect(job.text).toMatch(/ 0 -> \/dev\/null\n/);
  expect(job.text).not.toContain(`-> ${join(root, 'secret')}`);
  expect(job.text).not.toContain('of the operator');
});

test('help explains everything, wrong configuration is told at once', async () => {
  const help = start(['--help']);
  expect(await help.ended).toBe(0);
  for (const word of [
    'register',
    'unregister',
    '--stop-timeout',
    '--cache-limit',
    '--docker-image',
    'SIGQUIT',
    'RUNNER_URL',
  ]) {
    expect(help.output()).toContain(word);
  }
  const wrong = start(['--concurrency', 'many', '--executor', 'vm'], { RUNNER_TOKEN: '' });
  expect(await wrong.ended).toBe(2);
  expect(wrong.output()).toMatch(/token is missing[^]*concurrency[^]*executor[^]*See --help/);
});

test('a runner that is killed leaves processes, which the next one in its builds directory ends before its first job', async () => {
  const pidFile = join(root, 'pid');
  coordinator.enqueue([`setsid sh -c 'echo $$ > ${pidFile}; exec sleep 600' & wait`]);
  const killed = start([]);
  const isThere = async () =>
    readFile(pidFile, 'utf8').then(
      (text) => text.endsWith('\n'),
      () => false,
    );
  while (!(await isThere())) await new Promise((resolve) => setTimeout(resolve, 20));
  const pid = Number(await readFile(pidFile, 'utf8'));
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect(() => process.kill(pid, 0)).not.toThrow();
  const job = coordinator.enqueue([`! kill -0 ${pid}`]);
  const next = start(['--max-builds', '1']);
  expect(await next.ended).toBe(0);
  expect(job.final).toMatchObject({ state: 'success' });
});

describe('registration', () => {
  test('register asks for the token, says so, and keeps it where told', async () => {
    const { ended, output } = start(['register', '--token', RUNNER_TOKEN, '--token-file', join(root, 'token')]);
    expect(await ended).toBe(0);
    expect(output()).toContain('runner 9 (k3Zp0Yt7Q) is registered at http://127.0.0.1');
    expect(output()).not.toContain(RUNNER_TOKEN);
    expect((await readFile(join(root, 'token'), 'utf8')).trim()).toBe(RUNNER_TOKEN);
    expect((await stat(join(root, 'token'))).mode & 0o777).toBe(0o600);
    const job = coordinator.enqueue(['true']);
    const run = start(['--once', '--token-file', join(root, 'token')], { RUNNER_TOKEN: '' });
    expect(await run.ended).toBe(0);
    expect(job.final).toMatchObject({ state: 'success' });
  });

  test('register refuses a token that is not known, and keeps nothing', async () => {
    const { ended, output } = start(['register', '--token', 'glrt-wrong', '--token-file', join(root, 'token')]);
    expect(await ended).toBe(1);
    expect(output()).toContain('does not know this token');
    await expect(stat(join(root, 'token'))).rejects.toThrow('ENOENT');
  });

  test('trap: verify that answers 201, or without an id, is no registration', async () => {
    for (const answer of [{ status: 201 }, { status: 200 }]) {
      coordinator.intercept = () => answer;
      const { ended, output } = start(['register']);
      expect(await ended).toBe(1);
      expect(output()).toContain('could not be verified');
    }
  });

  test('unregister forgets this machine alone', async () => {
    const registered = start(['register']);
    expect(await registered.ended).toBe(0);
    const { ended, output } = start(['unregister']);
    expect(await ended).toBe(0);
    expect(output()).toContain('has forgotten this machine');
    const [verify, removal] = coordinator.requests;
    expect(removal).toMatchObject({ method: 'DELETE', path: 'runners/managers', body: { token: RUNNER_TOKEN } });
    expect(removal!.body.system_id).toBe(verify!.body.system_id);
    const unknown = start(['unregister'], { RUNNER_TOKEN: 'glrt-other' });
    expect(await unknown.ended).toBe(1);
    expect(unknown.output()).toContain('does not know this token');
  });

  test('a coordinator that is not there is told', async () => {
    const { ended, output } = start(['register'], { RUNNER_URL: 'http://127.0.0.1:1' });
    expect(await ended).toBe(1);
    expect(output()).toContain('http://127.0.0.1:1 cannot be reached: connect ECONNREFUSED');
  });
});

describe('the end', () => {
  const waiting = ['echo begun', 'until test -e "$CI_BUILDS_DIR/go"; do sleep 0.05; done', 'echo ended'];

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: running jobs have a time, then are reported and end it',
    async (signal) => {
      const job = coordinator.enqueue(['echo begun', 'sleep 300']);
      const { child, ended, output } = start(['--stop-timeout', '1']);
      await coordinator.until(() => job.text.includes('\nbegun\n'));
      child.kill(signal);
      expect(await ended).toBe(0);
      expect(output()).toContain('stopping; running jobs have 1 s');
      expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'runner_system_failure' });
    },
  );

  test('SIGTERM: a job that ends within its time is finished, and none is taken', async () => {
    const job = coordinator.enqueue(waiting);
    const { child, ended, said } = start(['--stop-timeout', '60']);
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    child.kill('SIGTERM');
    await said('stopping');
    const next = coordinator.enqueue(['true']);
    await writeFile(join(root, 'builds', 'go'), '');
    expect(await ended).toBe(0);
    expect(job.final).toMatchObject({ state: 'success' });
    expect(next.updates).toEqual([]);
  });

  test('SIGQUIT: running jobs finish, however long they take; a second signal does not wait', async () => {
    const job = coordinator.enqueue(waiting);
    const first = start([]);
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    first.child.kill('SIGQUIT');
    await first.said('taking no new jobs');
    await writeFile(join(root, 'builds', 'go'), '');
    expect(await first.ended).toBe(0);
    expect(job.final).toMatchObject({ state: 'success' });
    const endless = coordinator.enqueue(['echo begun', 'sleep 300']);
    const second = start([]);
    await coordinator.until(() => endless.text.includes('\nbegun\n'));
    second.child.kill('SIGQUIT');
    await second.said('taking no new jobs');
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    expect(endless.final).toMatchObject({ failure_reason: 'runner_system_failure' });
  });
});

test('a builds directory has one runner at a time, and that of a killed one is free again', async () => {
  const first = start([]);
  await coordinator.until(() => coordinator.requests.length > 0);
  const second = start([]);
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain('another runner uses the builds directory');
  first.child.kill('SIGKILL');
  await first.ended;
  const job = coordinator.enqueue(['true']);
  const third = start(['--once']);
  expect(await third.ended).toBe(0);
  expect(job.final).toMatchObject({ state: 'success' });
});

test('there is no shell but sh: scripts run in it, pipefail and all where it has that', async () => {
  const job = coordinator.enqueue(
    ['echo "shell ${BASH_VERSION:-sh}"', 'printf "a\\nb\\n" | while read -r x; do echo "line $x"; done', '(exit 4)'],
    {
      moreSteps: [{ name: 'after_script', script: ['echo "after $CI_JOB_STATUS"'] }],
    },
  );
  const bin = join(root, 'bin');
  const link = spawn('sh', [
    '-c',
    `mkdir ${bin}; for tool in sh mkfifo git cat; do ln -s "$(command -v $tool)" ${bin}; done`,
  ]);
  await new Promise((resolve) => link.on('close', resolve));
  const { ended } = start(['--once'], { PATH: bin });
  expect(await ended).toBe(0);
  expect(job.text).toContain('Using Shell (sh) executor...');
  expect(job.text).toContain('\nshell sh\n');
  expect(job.text).toContain('\nline a\nline b\n');
  expect(job.text).toContain('after failed\n');
  expect(job.final).toMatchObject({ state: 'failed', exit_code: 4 });
});
