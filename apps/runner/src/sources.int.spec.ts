import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Runner } from './runner.js';
import { RUNNER_TOKEN, StrictCoordinator, type CoordinatorJob } from './testing/strict-coordinator.js';

const PASSWORD = 'glcbt-gitpassword0123';

let root: string;
let repository: string;
let commits: string[];
let host: http.Server;
let challenges: number;
let repoUrl: string;
let coordinator: StrictCoordinator;
let runner: Runner;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sources-'));
  repository = join(root, 'demo', 'app.git');
  await mkdir(repository, { recursive: true });
  await git(['init', '--quiet', '--initial-branch=main']);
  commits = [];
  for (const content of ['first', 'second', 'third']) {
    await writeFile(join(repository, 'file'), content);
    await git(['add', 'file']);
    await git(['-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '--quiet', '-m', content]);
    commits.push((await git(['rev-parse', 'HEAD'])).trim());
  }
  await git(['update-ref', 'refs/pipelines/1', commits[1]!]);
  host = http.createServer(serveGit);
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  repoUrl = `http://gitlab-ci-token:${PASSWORD}@127.0.0.1:${(host.address() as AddressInfo).port}/demo/app.git`;
});

afterAll(async () => {
  host.closeAllConnections();
  await new Promise((resolve) => host.close(resolve));
  await rm(root, { recursive: true, force: true });
});

let buildsDir: string;

beforeEach(async () => {
  challenges = 0;
  coordinator = await StrictCoordinator.start();
  buildsDir = await mkdtemp(join(root, 'builds-'));
  runner = new Runner({ url: coordinator.url, token: RUNNER_TOKEN, buildsDir, say: () => undefined });
  runner.start();
});

afterEach(async () => {
  await runner.stop(0);
  await coordinator.crash();
  expect(coordinator.violations).toEqual([]);
});

async function run(
  script: string[],
  variables: Record<string, string> = {},
  more: { git?: object; [key: string]: unknown } = {},
): Promise<CoordinatorJob> {
  const { git: gitInfo, ...payload } = more;
  const job = coordinator.enqueue(script, {
    allow_git_fetch: true,
    git_info: {
      repo_url: repoUrl,
      sha: commits[1],
      ref: 'main',
      refspecs: ['+refs/pipelines/1:refs/pipelines/1', '+refs/heads/main:refs/remotes/origin/main'],
      depth: 1,
      ...gitInfo,
    },
    ...payload,
    variables: Object.entries({ GIT_STRATEGY: '', ...variables }).map(([key, value]) => ({ key, value })),
  });
  await coordinator.ended(job);
  return job;
}

test('a job gets its commit from a repository that asks for its token, and the token stays nowhere', async () => {
  const job = await run(
    [
      'cat file; echo',
      'git rev-list --all --count',
      'git rev-parse --verify --quiet origin/main',
      'cat .git/config',
      'git ls-remote origin main',
    ],
    { GIT_TRACE: '1' },
  );
  expect(job.final).toMatchObject({ state: 'success' });
  expect(challenges).toBeGreaterThan(0);
  expect(job.text).toContain('\nsecond\n');
  expect(job.text).toContain('\n2\n');
  expect(job.text).toContain(`\n${commits[2]}\n`);
  expect(job.text).toContain('git remote-http origin http://127.0.0.1:');
  // GIT_TRACE shows every command line; were the token on one, the mask would show.
  expect(job.text).not.toContain('[MASKED]');
  const checkout = join(buildsDir, 'k3Zp0Yt7Q', '0', 'demo', 'app');
  expect(await readFile(join(checkout, '.git', 'config'), 'utf8')).not.toContain(PASSWORD);
  await expect(stat(`${checkout}.tmp`)).rejects.toThrow('ENOENT');
});

describe('the next job of the same commit', () => {
  const of = (pipeline: number, depth = 1) => ({
    git: {
      depth,
      refspecs: [`refs/pipelines/${pipeline}`, 'refs/remotes/origin/main'].map(
        (ref) => `+refs/pipelines/${pipeline}:${ref}`,
      ),
    },
  });

  test('finds it in the checkout, asks nobody, and sees what the first one saw', async () => {
    await run(['echo changed > file; touch left', 'git update-ref refs/remotes/origin/main HEAD~0'], {}, of(1));
    expect(challenges).toBeGreaterThan(0);
    challenges = 0;
    // A ref that the host does not have: it is not asked.
    const look = [
      'cat file; echo',
      'ls -A',
      'git for-each-ref --format="%(refname) %(objectname)"',
      'git fsck --strict',
    ];
    const job = await run(look, {}, of(7));
    expect(job.final).toMatchObject({ state: 'success' });
    expect(challenges).toBe(0);
    expect(job.text).toContain('\nsecond\n');
    expect(job.text).not.toContain('\nleft\n');
    expect(job.text).toContain(`refs/pipelines/7 ${commits[1]}\n`);
    expect(job.text).toContain(`refs/remotes/origin/main ${commits[1]}\n`);
  });

  test('fetches where it wants more history, or the history was changed', async () => {
    await run(['true'], {}, of(1));
    challenges = 0;
    const deeper = await run(
      ['git rev-list --count HEAD', 'rm .git/shallow; git fetch -q --depth 1 origin HEAD'],
      {},
      of(1, 2),
    );
    expect(deeper.text).toContain('\n2\n');
    expect(challenges).toBeGreaterThan(0);
    challenges = 0;
    expect((await run(['git rev-list --count HEAD'], {}, of(1, 2))).text).toContain('\n2\n');
    expect(challenges).toBeGreaterThan(0);
  });

  test('starts anew where objects are missing', async () => {
    await run(['find .git/objects -type f -delete'], {}, of(1));
    const job = await run(['cat file; echo'], {}, of(1));
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.text).toContain('starting from an empty directory');
    expect(job.text).toContain('\nsecond\n');
  });
});

test('the next job fetches into the same checkout, cleaned of what the first left to act in it', async () => {
  await run([
    'touch left; mkdir -p .git/hooks',
    'printf "#!/bin/sh\\ntouch hooked" > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout',
    'git config core.fsmonitor "touch monitored; false"',
    'touch .git/index.lock',
    'echo changed > file',
  ]);
  const job = await run(
    ['cat file; echo', 'ls -A', 'git config core.fsmonitor || echo no monitor'],
    {},
    { git: { sha: commits[2] } },
  );
  expect(job.final).toMatchObject({ state: 'success' });
  expect(job.text).toContain('Fetching changes with git depth set to 1...');
  expect(job.text).toContain('\nthird\n');
  expect(job.text).toContain('\n.git\nfile\n');
  expect(job.text).toContain('\nno monitor\n');
});

test('a shallow copy is completed when a job wants all history', async () => {
  await run(['true']);
  const job = await run(['git rev-list --count HEAD'], {}, { git: { depth: 0, sha: commits[2] } });
  expect(job.text).toContain('\n3\n');
});

test('a damaged copy is given up for a new one, or mended', async () => {
  await run(['echo broken > .git/index']);
  const job = await run(['cat file']);
  expect(job.final).toMatchObject({ state: 'success' });
  expect(job.text).toContain('starting from an empty directory');
  await run(['rm -rf .git/refs .git/HEAD .git/objects; touch .git/objects']);
  const next = await run(['cat file'], {}, { git: { sha: commits[2] } });
  expect(next.text).toContain('\nthird');
});

test('clone starts from an empty directory, also where a job took the right to write', async () => {
  await run(['mkdir -p cache/module; touch cache/module/file; chmod -R a-w cache']);
  const job = await run(['ls -A'], { GIT_STRATEGY: 'clone' });
  expect(job.text).toContain('Cloning repository with git depth set to 1...');
  expect(job.text).toContain('\n.git\nfile\n');
});

test('none leaves the directory as it is, empty makes it empty, and no repository around it is found', async () => {
  await run(['touch left']);
  const none = await run(['ls -A'], { GIT_STRATEGY: 'none' });
  await promisify(execFile)('git', ['init', '--quiet', buildsDir]);
  const empty = await run(['ls -A | wc -l', 'git rev-parse --show-toplevel || echo no repository'], {
    GIT_STRATEGY: 'empty',
  });
  expect(none.text).toContain('\n.git\nfile\nleft\n');
  expect(empty.text).toContain('\n0\n');
  expect(empty.text).toContain('\nno repository\n');
});

test('hooks of the job run around the sources', async () => {
  const hooks = [
    { name: 'pre_get_sources_script', script: ['echo "before in $PWD"'] },
    { name: 'post_get_sources_script', script: ['echo "after with $(cat file)"'] },
  ];
  const job = await run(['true'], {}, { hooks });
  expect(job.text).toMatch(/\nbefore in [^\n]*\/0\/demo\n[^]*Checking out[^]*\nafter with second\n/);
  const failing = await run(['echo never'], {}, { hooks: [{ name: 'pre_get_sources_script', script: ['exit 6'] }] });
  expect(failing.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure', exit_code: 6 });
});

test('git tries as often as GET_SOURCES_ATTEMPTS says', async () => {
  const missing = { sha: 'f'.repeat(40), refspecs: [] };
  const job = await run(['echo never'], { GET_SOURCES_ATTEMPTS: '3', GIT_STRATEGY: 'clone' }, { git: missing });
  expect(job.text.match(/Cloning repository/g)).toHaveLength(3);
});

test('GIT_CHECKOUT=false leaves the working copy, GIT_CLEAN_FLAGS what it says, GIT_FETCH_EXTRA_FLAGS reach git', async () => {
  await run(['touch kept removed']);
  const job = await run(
    ['ls; cat file; echo'],
    {
      GIT_CLEAN_FLAGS: '-ffdx -e kept',
      GIT_FETCH_EXTRA_FLAGS: '--verbose',
    },
    { git: { sha: commits[2] } },
  );
  expect(job.text).toContain('\nfile\nkept\nthird\n');
  expect(job.text).toMatch(/-> refs\/pipelines\/1|\[up to date\]/);
  const unchanged = await run(['cat file; echo; git rev-parse HEAD; git diff --stat HEAD'], { GIT_CHECKOUT: 'false' });
  expect(unchanged.text).toContain('Skipping Git checkout');
  expect(unchanged.text).toContain(`\nthird\n${commits[2]}\n`);
  expect(unchanged.final).toMatchObject({ state: 'success' });
});

test("a directory of one's own choice is refused", async () => {
  const job = await run(['echo never'], { GIT_CLONE_PATH: '/tmp/elsewhere' });
  expect(job.text).toContain('setting GIT_CLONE_PATH is not allowed');
  expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure' });
});

test('projects of different ids with one path do not share a checkout while both run', async () => {
  await runner.stop(1000);
  runner = new Runner({ url: coordinator.url, token: RUNNER_TOKEN, buildsDir, concurrency: 2, say: () => undefined });
  runner.start();
  const both = [12, 13].map((project) =>
    run(
      [
        `touch "$CI_BUILDS_DIR/here-${project}"; until test -e "$CI_BUILDS_DIR/here-${25 - project}"; do sleep 0.02; done; pwd`,
      ],
      {},
      {
        job_info: { name: 'x', project_id: project },
      },
    ),
  );
  const places = (await Promise.all(both)).map((job) => /^\/.*\/demo\/app$/m.exec(job.text)?.[0]);
  expect(new Set(places).size).toBe(2);
  expect(places).not.toContain(undefined);
});

test('a plain path works, with submodules', async () => {
  const inner = join(root, 'inner');
  await promisify(execFile)('git', ['clone', '--quiet', '--no-local', repository, inner]);
  const outer = join(root, 'outer');
  await promisify(execFile)('git', ['init', '--quiet', '--initial-branch=main', outer]);
  await git(['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner, 'lib'], outer);
  await git(['-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '--quiet', '-m', 'outer'], outer);
  const sha = (await git(['rev-parse', 'HEAD'], outer)).trim();
  const gitInfo = { repo_url: outer, sha, refspecs: [`+${sha}:refs/pipelines/1`] };
  // git refuses local submodules by default; the variables reach it as they would reach it in a shell.
  const variables = {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'protocol.file.allow',
    GIT_CONFIG_VALUE_0: 'always',
    GIT_SUBMODULE_STRATEGY: 'normal',
  };
  const job = await run(['cat lib/file; echo', 'pwd'], variables, { git: gitInfo });
  expect(job.text).toContain('\nthird\n');
  expect(job.text).toContain('/0/project-12\n');
  // What a job left in a submodule is gone for the next one.
  await run(['echo changed > lib/file; touch lib/left'], variables, { git: gitInfo });
  const next = await run(['cat lib/file; echo; ls lib'], variables, { git: gitInfo });
  expect(next.text).toContain('Fetching changes');
  expect(next.text).toContain('\nthird\nfile\n');
  const chosen = { ...variables, GIT_SUBMODULE_PATHS: 'lib', GIT_SUBMODULE_DEPTH: '1', GIT_STRATEGY: 'clone' };
  const shallow = await run(['git -C lib rev-list --count HEAD'], chosen, {
    git: { ...gitInfo, repo_url: `file://${outer}` },
  });
  expect(shallow.final).toMatchObject({ state: 'success' });
  const none = await run(
    ['ls lib | wc -l'],
    { ...variables, GIT_SUBMODULE_STRATEGY: 'none', GIT_STRATEGY: 'clone' },
    { git: gitInfo },
  );
  expect(none.text).toContain('\n0\n');
});

test.each([
  ['https://ci.example/', {}],
  ['http://ci.example:8080/', { CI_SERVER_URL: 'http://ci.example:8080' }],
  ['https://ci.example/gitlab/', { CI_SERVER_URL: 'https://ci.example/gitlab/' }],
])('SSH addresses of submodules on the coordinator become %s where the job asks for it', async (address, more) => {
  const job = await run([`git config --get-all url.${address}.insteadOf`], {
    GIT_SUBMODULE_FORCE_HTTPS: 'true',
    CI_SERVER_HOST: 'ci.example',
    CI_SERVER_SHELL_SSH_PORT: '2222',
    ...more,
  });
  expect(job.text).toContain('\ngit@ci.example:\nssh://git@ci.example/\nssh://git@ci.example:2222/\n');
});

test.each([
  ['a commit that is not there', { sha: 'f'.repeat(40), refspecs: [] }, 128, 'fatal:'],
  ['a wrong password', { repo_url: 'wrong' }, 128, 'fatal: Authentication failed'],
  ['no commit', { sha: '' }, undefined, 'git_info.sha'],
])('%s fails the job with the reason in its log', async (_name, broken, code, message) => {
  const wrong = 'repo_url' in broken ? { repo_url: repoUrl.replace(PASSWORD, 'wrongpassword') } : broken;
  const job = await run(
    ['echo never'],
    { GET_SOURCES_ATTEMPTS: '1' },
    { git: wrong, moreSteps: [{ name: 'after_script', script: ['echo never'] }] },
  );
  expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure' });
  expect(job.final?.['exit_code']).toBe(code);
  expect(job.text).toContain(message);
  expect(job.text).not.toContain('never\n');
});

test('a checkout that cannot be made is a failure of the runner', async () => {
  await mkdir(join(buildsDir, 'k3Zp0Yt7Q', '0', 'demo'), { recursive: true });
  await writeFile(join(buildsDir, 'k3Zp0Yt7Q', '0', 'demo', 'app'), 'a file');
  await chmod(join(buildsDir, 'k3Zp0Yt7Q', '0', 'demo', 'app'), 0o444);
  const job = await run(['echo never']);
  expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'runner_system_failure' });
  expect(job.text).toContain('ERROR: Job failed: runner system failure: EEXIST');
});

async function git(args: string[], cwd = repository): Promise<string> {
  return (await promisify(execFile)('git', args, { cwd })).stdout;
}

/** git's own smart HTTP program behind Basic authentication. */
function serveGit(request: http.IncomingMessage, response: http.ServerResponse): void {
  const expected = `Basic ${Buffer.from(`gitlab-ci-token:${PASSWORD}`).toString('base64')}`;
  if (request.headers.authorization !== expected) {
    challenges++;
    request.resume();
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
    return;
  }
  const url = new URL(request.url ?? '', 'http://host');
  const program = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname.replace('.git/', '.git/.git/'),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
  });
  request.pipe(program.stdin);
  const parts: Buffer[] = [];
  program.stdout.on('data', (part: Buffer) => parts.push(part));
  program.on('close', () => {
    const output = Buffer.concat(parts);
    const end = output.indexOf('\r\n\r\n');
    for (const line of output.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(output.subarray(end + 4));
  });
}
