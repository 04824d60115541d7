import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
  expect(said).toEqual([
    `job ${job.id} (test) of demo/app: taken`,
    expect.stringMatching(`^job ${job.id} \\(test\\) of demo/app: succeeded \\(\\d+\\.\\d s\\)$`),
  ]);
  expect((await readdir(join(buildsDir, '.flagfall'))).sort()).toEqual(['cache', 'system-id']);
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

describe('variables', () => {
  test('raw values arrive as they are, others are expanded, file variables are private files', async () => {
    const hostile = `$HOME $(id) \`id\` 'quote' "double" \\ $$ end\nsecond line`;
    const job = coordinator.enqueue(
      [
        'printf "<%s>" "$HOSTILE" "$COOKED"; echo',
        'cat "$TRIGGER_PAYLOAD"; echo; stat -c "mode %a" "$TRIGGER_PAYLOAD"; echo "path $TRIGGER_PAYLOAD of $CI_PROJECT_DIR"',
        'echo "home $HOME, status $CI_JOB_STATUS, server $CI_SERVER, timeout $CI_JOB_TIMEOUT"',
      ],
      {
        variables: [
          { key: 'HOSTILE', value: hostile, raw: true },
          { key: 'COOKED', value: 'in $CI_JOB_STATUS for 5$$' },
          { key: 'TRIGGER_PAYLOAD', value: '{"ref":"$main"}', file: true, raw: true },
          { key: 'bad-name', value: 'x' },
        ],
      },
    );
    startRunner();
    await coordinator.ended(job);
    const project = join(buildsDir, 'k3Zp0Yt7Q', '0', 'project-12');
    expect(job.text).toContain(`<${hostile}><in running for 5$>\n`);
    expect(job.text).toContain(
      `{"ref":"$main"}\nmode 600\npath ${project}.tmp/variables/TRIGGER_PAYLOAD of ${project}\n`,
    );
    expect(job.text).toContain(`home ${project}.tmp/home, status running, server yes, timeout 3600\n`);
    expect(job.text).toContain('WARNING: not set, since a shell cannot export them: "bad-name"');
    await expect(stat(`${project}.tmp`)).rejects.toThrow('ENOENT');
  });

  test('nothing of the environment of the server reaches a job, stdin is empty', async () => {
    const job = coordinator.enqueue(['env', 'cat', 'wc -c < /dev/stdin']);
    startRunner();
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.text).not.toContain('hunter2');
    expect(job.text).toContain('\n0\n');
  });

  test('masked values and tokens do not reach the log, however they are written', async () => {
    const job = coordinator.enqueue(
      [
        'for part in to p- se cret; do printf %s "$part"; sleep 0.02; done; echo',
        'echo "$CI_JOB_TOKEN glpat-0123456789abcdef"',
      ],
      {
        variables: [
          { key: 'PASSWORD', value: 'top-secret', masked: true },
          { key: 'CI_JOB_TOKEN', value: 'glcbt-whatever' },
        ],
      },
    );
    startRunner();
    await coordinator.ended(job);
    expect(job.text).not.toContain('top-secret');
    expect(job.text).toContain('\n[MASKED]\n');
    expect(job.text).toContain('glcbt-[MASKED] glpat-[MASKED]\n');
  });
});

describe('the log', () => {
  test('timestamps are off by default and on by FF_TIMESTAMPS, masked across them as without', async () => {
    const script = [
      'printf "one\\ntwo"; sleep 0.05; echo " more"',
      'echo "$KEY"',
      'printf "\\xc3"; sleep 0.05; printf "\\xa9\\n"',
    ];
    const variables = [{ key: 'KEY', value: 'first line\nsecond line', masked: true }];
    const plain = coordinator.enqueue(script, { variables });
    const stamped = coordinator.enqueue(script, { variables: [...variables, { key: 'FF_TIMESTAMPS', value: 'true' }] });
    startRunner();
    await coordinator.ended(stamped);
    const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z 0[01][OE][ +]/;
    expect(plain.text.split('\n').filter((line) => stamp.test(line))).toEqual([]);
    const lines = stamped.text.split('\n').slice(0, -1);
    expect(lines.filter((line) => !stamp.test(line))).toEqual([]);
    // A reader that takes the stamps away, and joins what goes on, has the log without them.
    const joined = stamped.log
      .toString()
      .replaceAll(/\n.{27} ...\+/g, '')
      .replaceAll(/^.{27} ... /gm, '');
    const comparable = (text: string) => text.replaceAll(/section_(start|end):\d+/g, 'section_$1');
    expect(comparable(joined)).toBe(comparable(plain.log.toString()));
    expect(joined).toContain('\none\ntwo more\n');
    expect(joined).toContain('\n[MASKED]\n');
    expect(joined).toContain('\né\n');
    expect(lines.find((line) => line.includes('two more'))).toMatch(/ 01O two more$/);
  });

  test('sections come in the order of GitLab, without those that have nothing to do', async () => {
    const job = coordinator.enqueue(['true'], { moreSteps: [{ name: 'release', script: ['echo released'] }] });
    startRunner();
    await coordinator.ended(job);
    const names = [...job.text.matchAll(/section_start:\d+:(\w+)/g)].map((match) => match[1]);
    expect(names).toEqual([
      'prepare_executor', 'prepare_script', 'get_sources', 'step_script', 'step_release', 'cleanup_file_variables',
    ]); // prettier-ignore
  });

  test('a pipe fails with what fails in it, an entry of several lines is one command, and its first line is shown', async () => {
    const job = coordinator.enqueue(['for i in 1 2; do\n  echo "turn $i"\ndone', 'false | cat', 'echo never']);
    startRunner();
    await coordinator.ended(job);
    expect(job.text).toContain('$ for i in 1 2; do # collapsed multi-line command<ESC>[0;m\nturn 1\nturn 2\n');
    expect(job.text).not.toContain('\nnever\n');
    expect(job.final).toMatchObject({ state: 'failed', exit_code: 1 });
  });
});

describe('after_script', () => {
  const moreSteps = [
    { name: 'after_script', script: ['echo "status is $CI_JOB_STATUS, $HANDED"', 'false', 'echo never'] },
  ];

  test('runs after a failure, knows it, and its own failure does not count', async () => {
    const failing = coordinator.enqueue(['echo HANDED=over >> "$GITLAB_ENV"', 'exit 3'], { moreSteps });
    const passing = coordinator.enqueue(['true'], { moreSteps });
    startRunner();
    await coordinator.ended(passing);
    expect(failing.final).toMatchObject({ state: 'failed', exit_code: 3 });
    expect(failing.text).toContain('status is failed, over\n');
    expect(failing.text).toContain('WARNING: after_script failed: exit code 1');
    expect(passing.final).toMatchObject({ state: 'success' });
    expect(passing.text).toContain('status is success, \n');
  });

  test('has a limit of its own', async () => {
    const job = coordinator.enqueue(['true'], {
      moreSteps: [{ name: 'after_script', script: ['sleep 60'] }],
      variables: [
        { key: 'RUNNER_AFTER_SCRIPT_TIMEOUT', value: '300ms' },
        { key: 'AFTER_SCRIPT_IGNORE_ERRORS', value: 'false' },
      ],
    });
    startRunner({ terminationGraceMs: 100 });
    await coordinator.ended(job);
    expect(job.text).toContain('WARNING: after_script took longer than 0.3 seconds');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure' });
  });
});

describe('the end from outside', () => {
  test('a timeout ends the script, and after_script knows it', async () => {
    const job = coordinator.enqueue(['echo begun; sleep 60'], {
      runner_info: { timeout: 1 },
      moreSteps: [{ name: 'after_script', script: ['echo "status $CI_JOB_STATUS"'] }],
    });
    startRunner();
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'job_execution_timeout' });
    expect(job.text).toContain('status timedout\n');
    expect(job.text).toMatch(/ERROR: Job failed: execution took longer than 1 seconds\n$/);
  });

  test('RUNNER_SCRIPT_TIMEOUT ends the script, with after_script', async () => {
    const job = coordinator.enqueue(['sleep 60'], {
      variables: [{ key: 'RUNNER_SCRIPT_TIMEOUT', value: '300ms' }],
      moreSteps: [{ name: 'after_script', script: ['echo "status $CI_JOB_STATUS"'] }],
    });
    startRunner();
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'job_execution_timeout' });
    expect(job.text).toContain('status timedout\n');
  });

  test('a graceful cancel ends the script and runs after_script', async () => {
    const job = coordinator.enqueue(['trap "echo got TERM; exit 9" TERM', 'echo begun', 'sleep 60 & wait'], {
      moreSteps: [{ name: 'after_script', script: ['echo "status $CI_JOB_STATUS"'] }],
    });
    startRunner();
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    job.status = 'canceling';
    await coordinator.ended(job);
    expect(job.text).toContain('got TERM\n');
    expect(job.text).toContain('status canceled\n');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'job_canceled' });
    expect(job.final).not.toHaveProperty('exit_code');
  });

  test('a script that ignores SIGTERM is killed when its time is over', async () => {
    const job = coordinator.enqueue(['trap "" TERM', 'while :; do echo tick; sleep 0.05; done']);
    startRunner({ terminationGraceMs: 100 });
    await coordinator.until(() => job.text.includes('\ntick\n'));
    job.status = 'canceling';
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ failure_reason: 'job_canceled' });
  });

  test('a forced cancel ends all, without after_script', async () => {
    const job = coordinator.enqueue(['while :; do echo tick; sleep 0.05; done'], {
      moreSteps: [{ name: 'after_script', script: ['touch "$CI_BUILDS_DIR/after"'] }],
    });
    const runner = startRunner({ maxBuilds: 1 });
    await coordinator.until(() => job.text.includes('\ntick\n'));
    job.status = 'canceled';
    await runner.finished();
    expect(said.at(-1)).toContain('the coordinator had ended it already');
    expect(await readdir(buildsDir)).not.toContain('after');
  });

  test.each([
    ['403', { status: 403 }],
    ['a job that is over', { status: 200, headers: { 'Job-Status': 'canceled' } }],
    ['404', { status: 404 }],
  ])('an acknowledgement answered with %s drops the job', async (_name, answer) => {
    coordinator.intercept = (method) => (method === 'PUT' ? answer : undefined);
    coordinator.enqueue(['touch "$CI_BUILDS_DIR/ran"']);
    await startRunner({ maxBuilds: 1 }).finished();
    expect(said.at(-1)).toContain('dropped');
    expect(coordinator.requests.filter(({ method }) => method !== 'POST')).toHaveLength(1);
    expect(await readdir(buildsDir)).not.toContain('ran');
  });

  test('an acknowledgement answered canceling reports the job canceled', async () => {
    const job = coordinator.enqueue(['touch "$CI_BUILDS_DIR/ran"'], {
      features: {},
      moreSteps: [{ name: 'after_script', script: ['touch "$CI_BUILDS_DIR/after"'] }],
    });
    job.status = 'canceling';
    startRunner();
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'unknown_failure' });
    expect(await readdir(buildsDir)).toEqual(expect.not.arrayContaining(['ran', 'after']));
  });

  test.each([
    ['runs', undefined, true],
    ['drops', { status: 403 }, false],
  ])('the shell is there before the acknowledgement is answered, and %s the job when it is', async (_, answer, ran) => {
    let acknowledge!: () => void;
    const asked = new Promise<void>((resolve) => (acknowledge = resolve));
    coordinator.delay = (method) => (method === 'PUT' ? asked : undefined);
    coordinator.intercept = (method) => (method === 'PUT' ? answer : undefined);
    coordinator.enqueue([
      'touch "$CI_BUILDS_DIR/ran"',
      'if (: <&3) 2> /dev/null; then touch "$CI_BUILDS_DIR/open"; fi',
    ]);
    const runner = startRunner({ maxBuilds: 1 });
    while (shellsWaiting(buildsDir) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await readdir(buildsDir)).not.toContain('ran');
    acknowledge();
    await runner.finished();
    expect((await readdir(buildsDir)).includes('ran')).toBe(ran);
    expect(shellsWaiting(buildsDir)).toBe(0);
    // What the shell waited at is closed by then.
    expect(await readdir(buildsDir)).not.toContain('open');
  });
});

describe('a coordinator in trouble', () => {
  test('a lost answer to a PATCH is healed by 416', async () => {
    let lost = 0;
    coordinator.intercept = (method, path, body) => {
      const job = [...coordinator.jobs.values()][0]!;
      if (method !== 'PATCH' || lost++ > 0) return undefined;
      job.log = Buffer.concat([job.log, body]);
      return 'drop';
    };
    const job = coordinator.enqueue(['for i in 1 2 3; do echo "line $i"; sleep 0.1; done']);
    startRunner();
    await coordinator.ended(job);
    expect(lost).toBeGreaterThan(1);
    expect(job.text.match(/\nline \d/g)).toEqual(['\nline 1', '\nline 2', '\nline 3']);
  });

  test('416 without a size starts the log again', async () => {
    let refused = false;
    coordinator.intercept = (method) => {
      const job = [...coordinator.jobs.values()][0]!;
      if (method !== 'PATCH' || refused || job.log.length === 0) return undefined;
      refused = true;
      job.log = Buffer.alloc(0);
      writeFileSync(join(buildsDir, 'refused'), '');
      return { status: 416 };
    };
    const script = ['echo one', 'until test -e "$CI_BUILDS_DIR/refused"; do echo; sleep 0.1; done', 'echo two'];
    const job = coordinator.enqueue(script);
    startRunner();
    await coordinator.ended(job);
    expect(refused).toBe(true);
    expect(job.text).toMatch(/^Running with[^]*\none\n[^]*\ntwo\n[^]*Job succeeded\n$/);
  });

  test('412 at the end sends the whole log again, 202 asks again', async () => {
    const answers = [{ status: 412 }, { status: 202, headers: { 'X-GitLab-Trace-Update-Interval': '1' } }];
    coordinator.intercept = (method, _path, body) => {
      if (method !== 'PUT' || JSON.parse(body.toString()).state === 'running') return undefined;
      const answer = answers.shift();
      if (answer?.status === 412) [...coordinator.jobs.values()][0]!.log = Buffer.alloc(0);
      return answer;
    };
    const job = coordinator.enqueue(['echo once']);
    startRunner();
    await coordinator.ended(job);
    expect(answers).toEqual([]);
    expect(job.text.match(/\nonce\n/g)).toHaveLength(1);
  });

  test('a coordinator that is away at the end gets log and result when it is back', async () => {
    const job = coordinator.enqueue([
      'echo begun',
      'until test -e "$CI_BUILDS_DIR/go"; do sleep 0.02; done',
      'echo ended; exit 4',
    ]);
    startRunner();
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    await coordinator.crash();
    await promisify(execFile)('touch', [join(buildsDir, 'go')]);
    await gone(job.id);
    await coordinator.listen();
    await coordinator.ended(job);
    expect(job.text).toContain('\nended\n');
    expect(job.final).toMatchObject({ state: 'failed', exit_code: 4 });
  });

  test('a refused token is said clearly, and only once for all workers', async () => {
    coordinator.intercept = () => ({ status: 403 });
    startRunner({ concurrency: 2 });
    await coordinator.until(() => coordinator.requests.length === 2);
    await runner!.stop(0);
    expect(said).toEqual([expect.stringContaining('refuses the runner token k3Zp0Yt7Q (status 403)')]);
    expect(said.join()).not.toContain(RUNNER_TOKEN);
  });

  test('a coordinator that is overloaded is asked again when it says', async () => {
    const times: number[] = [];
    coordinator.intercept = () => {
      times.push(Date.now());
      return times.length === 1 ? { status: 503, headers: { 'Retry-After': '1' } } : undefined;
    };
    const job = coordinator.enqueue(['true']);
    startRunner();
    await coordinator.ended(job);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(1000);
  });

  test('trap: PATCH answered with 200 is not accepted, the same bytes come again', async () => {
    let refused = 0;
    coordinator.intercept = (method) => (method === 'PATCH' && refused++ < 2 ? { status: 200 } : undefined);
    const job = coordinator.enqueue(['echo once']);
    startRunner();
    await coordinator.ended(job);
    expect(refused).toBeGreaterThan(2);
    expect(job.text.match(/\nonce\n/g)).toHaveLength(1);
  });

  test('trap: ids and depths that are texts make the job unreadable, which is reported', async () => {
    const job = coordinator.enqueue([], { git_info: { depth: '20' } });
    coordinator.intercept = (method, path, body) => {
      if (method === 'PATCH') job.log = body;
      if (method === 'PUT') job.final = JSON.parse(body.toString());
      return path.startsWith('jobs/5') ? { status: method === 'PATCH' ? 202 : 200 } : undefined;
    };
    startRunner();
    await coordinator.ended(job);
    expect(job.text).toContain('git_info.depth is not a number');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'runner_system_failure' });
  });

  test('trap: a chunk that ends inside a character is bytes like others, offsets and checksum count bytes', async () => {
    const job = coordinator.enqueue(['printf "\\xf0\\x9f"; sleep 1.5; printf "\\x9a\\x80 é\\n"']);
    startRunner();
    await coordinator.ended(job);
    expect(job.patches).toBeGreaterThan(1);
    expect(job.text).toContain('\n🚀 é\n');
  });

  test('trap: the final PUT whose answer is lost is sent again, and 403 for the second ends it', async () => {
    let lost = false;
    coordinator.intercept = (method, _path, body) => {
      const job = [...coordinator.jobs.values()][0]!;
      if (method !== 'PUT' || lost || JSON.parse(body.toString()).state === 'running') return undefined;
      lost = true;
      job.final = JSON.parse(body.toString());
      return 'drop';
    };
    coordinator.enqueue(['true']);
    await startRunner({ maxBuilds: 1 }).finished();
    expect(lost).toBe(true);
    expect(said.at(-1)).toContain('the coordinator had ended it already');
  });

  test('trap: a PATCH answered with 429 comes again after the time that it asks for, not at the next interval', async () => {
    const times: number[] = [];
    coordinator.intercept = (method) => {
      if (method !== 'PATCH') return undefined;
      times.push(Date.now());
      return times.length === 1 ? { status: 429, headers: { 'Retry-After': '3' } } : undefined;
    };
    const job = coordinator.enqueue(['echo once', 'sleep 3.5']);
    startRunner();
    await coordinator.ended(job);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(2900);
    expect(job.text.match(/\nonce\n/g)).toHaveLength(1);
  });

  test('trap: a kept connection that the server closed while it was idle costs nothing', async () => {
    const job = coordinator.enqueue(['echo begun', 'until test -e "$CI_BUILDS_DIR/go"; do sleep 0.02; done']);
    startRunner();
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    coordinator.closeIdleConnections();
    await promisify(execFile)('touch', [join(buildsDir, 'go')]);
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'success' });
  });

  test('trap: a runner token that is reset during a job does not touch the job', async () => {
    const job = coordinator.enqueue(['echo begun', 'until test -e "$CI_BUILDS_DIR/go"; do sleep 0.02; done']);
    coordinator.intercept = (method, path) =>
      method === 'POST' && path === 'jobs/request' && job.updates.length > 0 ? { status: 403 } : undefined;
    let refused = () => {};
    const told = new Promise<void>((resolve) => (refused = resolve));
    startRunner({ say: (line) => line.includes('refuses the runner token') && refused() });
    await coordinator.until(() => job.text.includes('\nbegun\n'));
    await promisify(execFile)('touch', [join(buildsDir, 'go')]);
    await coordinator.ended(job);
    expect(job.final).toMatchObject({ state: 'success' });
    await told;
  });

  test('trap: RateLimit-ResetTime goes before Retry-After', async () => {
    const times: number[] = [];
    coordinator.intercept = (method) => {
      times.push(Date.now());
      const headers = { 'Retry-After': '60', 'RateLimit-ResetTime': new Date(Date.now() + 1000).toUTCString() };
      return method === 'POST' && times.length === 1 ? { status: 429, headers } : undefined;
    };
    const job = coordinator.enqueue(['true']);
    startRunner();
    await coordinator.ended(job);
    expect(times[1]! - times[0]!).toBeLessThan(30_000);
  });

  test('a job that cannot be read is reported as failed', async () => {
    const job = coordinator.enqueue([], { steps: 'echo' });
    coordinator.intercept = (method, path, body) => {
      if (method === 'PATCH') job.log = body;
      if (method === 'PUT') job.final = JSON.parse(body.toString());
      return path.startsWith('jobs/5') ? { status: method === 'PATCH' ? 202 : 200 } : undefined;
    };
    startRunner();
    await coordinator.ended(job);
    expect(job.text).toContain('steps is not a list');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'runner_system_failure' });
  });
});

describe('processes', () => {
  test('what a job leaves behind is gone when it is reported, also outside of its process group', async () => {
    const job = coordinator.enqueue([
      'sleep 3001 &',
      'setsid sleep 3002 &',
      '(setsid bash -c "trap \'\' TERM; (sleep 3003; :) & sleep 3004; :" >/dev/null 2>&1 &)',
      'until [ "$(pgrep -c -f "^sleep 300[1-4]")" -ge 4 ]; do :; done',
      'pgrep -f "^sleep 300[1-4]" | sed "s/^/pid /"',
    ]);
    startRunner();
    await coordinator.ended(job);
    const pids = [...job.text.matchAll(/^pid (\d+)$/gm)].map((match) => Number(match[1]));
    expect(job.final).toMatchObject({ state: 'success' });
    expect(pids.length).toBeGreaterThanOrEqual(4);
    for (const pid of pids) expect(await command(pid)).not.toMatch(/^sleep 300/);
  });

  test('several jobs of a project run at once, each in a checkout of its own', async () => {
    const script = [
      'touch "$CI_BUILDS_DIR/$CI_JOB_ID"',
      'until test -e "$CI_BUILDS_DIR/$OTHER"; do sleep 0.02; done',
      'echo "slot $CI_CONCURRENT_PROJECT_ID"',
    ];
    const variables = (own: string, other: string) => [
      { key: 'CI_JOB_ID', value: own },
      { key: 'OTHER', value: other },
    ];
    const jobs = [
      coordinator.enqueue(script, { variables: variables('a', 'b') }),
      coordinator.enqueue(script, { variables: variables('b', 'a') }),
    ];
    startRunner({ concurrency: 2 });
    await Promise.all(jobs.map((job) => coordinator.ended(job)));
    expect(new Set(jobs.map((job) => /^slot (\d)$/m.exec(job.text)?.[1]))).toEqual(new Set(['0', '1']));
  });

  test('output beyond the limit is dropped with a notice, the job goes on', async () => {
    const job = coordinator.enqueue(['head -c 3000000 /dev/zero | tr "\\0" x', 'exit 5']);
    startRunner({ outputLimitBytes: 2_000_000 });
    await coordinator.ended(job);
    expect(job.text).toContain("Job's log exceeded limit of 2000000 bytes");
    expect(job.log.length).toBeLessThan(2_002_000);
    expect(job.patches).toBeGreaterThan(1);
    expect(job.text).toMatch(/ERROR: Job failed: exit code 5\n$/);
  });
});

/** The command line of a process; empty when there is none. */
async function command(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
}

/** Resolves when the job's temporary directory is gone: its script has ended and its report is under way. */
async function gone(id: number): Promise<void> {
  const path = join(buildsDir, 'k3Zp0Yt7Q', '0', 'project-12.tmp');
  const deadline = Date.now() + 60_000;
  while (
    await stat(path).then(
      () => true,
      () => false,
    )
  ) {
    if (Date.now() > deadline) throw new Error(`job ${id} did not end`);
  }
}

/** Shells that run a script of a job below the directory. */
function shellsWaiting(directory: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command === 'bash\0-l\0step_script\0' && readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
    } catch {
      return false; // No process, or gone meanwhile.
    }
  }).length;
}
