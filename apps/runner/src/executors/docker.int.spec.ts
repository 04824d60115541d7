import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Runner, type RunnerOptions } from '../runner.js';
import { importImage, missingDocker } from '../testing/docker-image.js';
import { RUNNER_TOKEN, StrictCoordinator, type CoordinatorJob } from '../testing/strict-coordinator.js';

const missing = missingDocker();
if (missing) console.warn(`The Docker executor is not tried: ${missing}.`);
const describeWithDocker = missing ? describe.skip : describe;

let coordinator: StrictCoordinator;
let root: string;
let runner: Runner | undefined;

beforeEach(async () => {
  coordinator = await StrictCoordinator.start();
  root = await mkdtemp(join(tmpdir(), 'docker-'));
});

afterEach(async () => {
  await runner?.stop(0);
  runner = undefined;
  await coordinator.crash();
  await rm(root, { recursive: true, force: true });
  expect(coordinator.violations).toEqual([]);
});

async function docker(...args: string[]): Promise<string> {
  return (await promisify(execFile)('docker', args)).stdout.trim();
}

test.each([
  ['there is no docker command', { PATH: '/nowhere' }, 'the docker command is not installed'],
  ['no Docker answers', { ...process.env, DOCKER_HOST: 'unix:///nowhere/docker.sock' }, '/nowhere/docker.sock'],
])('it is refused at the start when %s', async (_name, environment, message) => {
  if (message.startsWith('/') && missing === 'there is no docker command') return;
  const options = { buildsDir: root, docker: { image: '', pullPolicy: ['always'] }, environment };
  runner = new Runner({ url: coordinator.url, token: RUNNER_TOKEN, ...options, say: () => undefined });
  runner.start();
  const failure = await runner.finished().catch((error: Error) => error.message);
  expect(failure).toContain('the docker executor cannot be used');
  expect(failure).toContain(message);
  expect(failure).toContain('--executor shell');
  expect(coordinator.requests).toEqual([]);
});

describeWithDocker('jobs in containers', () => {
  const suffix = randomBytes(4).toString('hex');
  const image = `flagfall-test-${suffix}:tools`;
  const server = `flagfall-test-${suffix}/server:1`;
  const other = `flagfall-test-${suffix}:other-user`;

  beforeAll(async () => {
    await importImage(image, ['ENV FROM_IMAGE=yes']);
    const program =
      "require('http').createServer((q, a) => a.end('hello ' + process.env.WHO + ' ' + process.argv.slice(1))).listen(8080)";
    await importImage(server, ['EXPOSE 8080/tcp', `ENTRYPOINT ["node", "-e", ${JSON.stringify(program)}]`]);
    await importImage(other, ['USER 4321:4321']);
  }, 120_000);

  afterAll(async () => {
    await docker('image', 'rm', '--force', image, server, other);
  });

  function startRunner(options: Partial<RunnerOptions> = {}): Runner {
    runner = new Runner({
      url: coordinator.url,
      token: RUNNER_TOKEN,
      buildsDir: root,
      docker: { image: '', pullPolicy: ['never'] },
      say: () => undefined,
      ...options,
    });
    runner.start();
    return runner;
  }

  async function run(script: string[], payload: Record<string, any> = {}): Promise<CoordinatorJob> {
    const job = coordinator.enqueue(script, { image: { name: image }, ...payload });
    if (!runner) startRunner();
    await coordinator.until(() => job.final !== undefined, 60_000);
    return job;
  }

  /** All that carries this runner's label. */
  async function left(): Promise<string> {
    const id = (await readFile(join(root, '.flagfall', 'system-id'), 'utf8')).trim();
    const filter = ['--filter', `label=flagfall.runner=${id}`, '--quiet'];
    return (await docker('ps', '--all', ...filter)) + (await docker('network', 'ls', ...filter));
  }

  test('a job runs in its image, with variables, checkout, after_script and exit code, and leaves nothing', async () => {
    const job = await run(
      [
        'echo "in $FROM_IMAGE with $GREETING"; ls /bin',
        'cat "$SECRET_FILE"; echo',
        'echo HANDED=over >> "$GITLAB_ENV"',
        'echo made > file',
        'exit 5',
      ],
      {
        moreSteps: [{ name: 'after_script', script: ['echo "after $CI_JOB_STATUS $HANDED $(cat file)"'] }],
        variables: [
          { key: 'GREETING', value: "it's $HOME", raw: true },
          { key: 'SECRET_FILE', value: 'top-secret', file: true, masked: true },
        ],
      },
    );
    expect(job.text).toMatch(/section_start:\d+:prepare_executor\r[^]*Using Docker executor with image flagfall-test-/);
    expect(job.text).toContain("in yes with it's $HOME\n");
    expect(job.text).not.toContain('\nnpm\n');
    expect(job.text).toContain('\n[MASKED]\n');
    expect(job.text).toContain('after failed over made\n');
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'script_failure', exit_code: 5 });
    await runner!.stop(1000);
    expect(await left()).toBe('');
    expect(await readdir(join(root, '.flagfall'))).not.toContainEqual(expect.stringMatching(/script|docker/));
  }, 90_000);

  test('the features that jobs in containers have are announced', async () => {
    await run(['true']);
    const { info } = coordinator.requests[0]!.body;
    expect(info).toMatchObject({ executor: 'docker', features: { image: true, services: true, shared: false } });
  }, 90_000);

  test('services are reached by their names, with variables, command and entrypoint of the job', async () => {
    const get = (host: string) =>
      `exec 3<>/dev/tcp/${host}/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; grep hello <&3; exec 3>&-`;
    const job = await run(
      ['shopt -s expand_aliases', get('db'), get('second'), get(`flagfall-test-${suffix}-server`)],
      {
        services: [
          {
            name: server,
            alias: 'db, second',
            command: ['with', 'words'],
            variables: [{ key: 'WHO', value: 'you $PUBLIC' }],
          },
        ],
        variables: [
          { key: 'PUBLIC', value: 'there', public: true },
          { key: 'WHO', value: 'private' },
        ],
      },
    );
    expect(job.text.match(/^hello you there with,words$/gm)).toHaveLength(3);
    expect(job.text).toContain(`Starting service ${server} ...`);
    expect(job.final).toMatchObject({ state: 'success' });
    await runner!.stop(1000);
    expect(await left()).toBe('');
  }, 120_000);

  test('a service that ends is told with its words, and the job goes on', async () => {
    const job = await run(['echo went on'], {
      services: [{ name: image, alias: 'db', entrypoint: ['bash', '-c'], command: ['echo cannot start; exit 3'] }],
    });
    expect(job.text).toMatch(
      /WARNING: Service flagfall-test-\S+ has ended, probably it did not start properly\.[^]*cannot start/,
    );
    expect(job.text).toContain('\nwent on\n');
  }, 90_000);

  test('a graceful cancel reaches the script in the container, and after_script runs', async () => {
    const job = coordinator.enqueue(['trap "echo got TERM; exit 9" TERM', 'echo begun', 'sleep 300 & wait'], {
      image: { name: image },
      moreSteps: [{ name: 'after_script', script: ['echo "after $CI_JOB_STATUS"'] }],
    });
    startRunner();
    await coordinator.until(() => job.text.includes('\nbegun\n'), 60_000);
    job.status = 'canceling';
    await coordinator.until(() => job.final !== undefined, 60_000);
    expect(job.text).toContain('got TERM\n');
    expect(job.text).toContain('after canceled\n');
    expect(job.final).toMatchObject({ failure_reason: 'job_canceled' });
  }, 150_000);

  test('a forced cancel and a stop take the containers away, with what runs in them', async () => {
    const job = coordinator.enqueue(['trap "" TERM; echo begun; while :; do sleep 1; done'], {
      image: { name: image },
    });
    startRunner();
    await coordinator.until(() => job.text.includes('\nbegun\n'), 60_000);
    await runner!.stop(0);
    expect(job.final).toMatchObject({ state: 'failed', failure_reason: 'runner_system_failure' });
    expect(await left()).toBe('');
  }, 150_000);

  test('an image that cannot be had fails the job as GitLab has it', async () => {
    const features = { failure_reasons: ['image_pull_failure', 'runner_configuration_error'] };
    const absent = await run(['true'], { image: { name: 'flagfall-test-absent:1' }, features });
    expect(absent.final).toMatchObject({ failure_reason: 'image_pull_failure' });
    expect(absent.text).toContain('Failed to get image flagfall-test-absent:1 with policy "never"');
    const none = await run(['true'], { image: null, features });
    expect(none.final).toMatchObject({ failure_reason: 'runner_configuration_error' });
    const option = await run(['true'], { image: { name: '--privileged' }, features });
    expect(option.text).toContain('"--privileged" is not the name of an image');
    const policy = await run(['true'], { image: { name: image, pull_policy: ['often'] }, features });
    expect(policy.text).toContain('unknown pull policy "often"');
  }, 120_000);

  test('pull policies are tried in order; one that finds the image at hand needs no registry', async () => {
    const job = await run(['echo ran'], { image: { name: image, pull_policy: ['always', 'if-not-present'] } });
    expect(job.text).toMatch(/Failed to get image [^]* with policy "always"[^]*Using docker image sha256:[^]*\nran\n/);
  }, 120_000);

  test('the entrypoint of the job goes before its scripts, the default image is for jobs that name none', async () => {
    startRunner({ docker: { image, pullPolicy: ['never'] } });
    const job = await run(['echo "$WRAPPED $CI_JOB_IMAGE"'], {
      image: { name: '', entrypoint: ['env', 'WRAPPED=yes'] },
    });
    expect(job.text).toContain(`yes ${image}\n`);
  }, 90_000);

  test('an image of another user may write in the checkout, and the next job cleans it', async () => {
    const repository = join(root, 'repository');
    const git = (...args: string[]) =>
      promisify(execFile)('git', ['-C', repository, '-c', 'user.name=A', '-c', 'user.email=a@b.c', ...args]);
    await promisify(execFile)('git', ['init', '--quiet', repository]);
    await writeFile(join(repository, 'file'), 'content');
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'one');
    const sha = (await git('rev-parse', 'HEAD')).stdout.trim();
    const source = {
      git_info: { repo_url: repository, sha, ref: 'main', refspecs: [`+${sha}:refs/pipelines/1`], depth: 1 },
      allow_git_fetch: true,
      variables: [{ key: 'GIT_STRATEGY', value: 'fetch' }],
    };
    const first = await run(['id -u', 'echo more >> file; mkdir made; touch made/x'], {
      image: { name: other },
      ...source,
    });
    expect(first.text).toContain('\n4321\n');
    expect(first.final).toMatchObject({ state: 'success' });
    const second = await run(['cat file; echo; ls'], { ...source });
    expect(second.text).toContain('Fetching changes');
    expect(second.text).toMatch(/\ncontent\nfile\n/);
    expect(second.text).not.toContain('\nmade\n');
  }, 120_000);

  test('what a job writes into its repository does not run outside of the container', async () => {
    const repository = join(root, 'repository');
    const git = (...args: string[]) =>
      promisify(execFile)('git', ['-C', repository, '-c', 'user.name=A', '-c', 'user.email=a@b.c', ...args]);
    await promisify(execFile)('git', ['init', '--quiet', repository]);
    await git('commit', '--quiet', '--allow-empty', '-m', 'one');
    const sha = (await git('rev-parse', 'HEAD')).stdout.trim();
    const escaped = join(root, 'escaped');
    const source = {
      git_info: { repo_url: repository, sha, ref: 'main', refspecs: [`+${sha}:refs/pipelines/1`], depth: 1 },
      allow_git_fetch: true,
      variables: [{ key: 'GIT_STRATEGY', value: 'fetch' }],
    };
    const fsmonitor = `[core]\\n fsmonitor = "touch ${escaped}; false"\\n`;
    const evil = [
      `printf '${fsmonitor}' >> .git/config`,
      'mkdir -p evil/objects evil/refs .git/hooks',
      `cat .git/config > evil/config; printf '${fsmonitor}' >> evil/config; echo ../evil > .git/commondir`,
      `printf '#!/bin/sh\\ntouch ${escaped}\\n' > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout`,
    ];
    const artifacts = [
      { name: 'a', untracked: true, artifact_type: 'archive', artifact_format: 'zip', when: 'always' },
    ];
    const job = await run(evil.slice(0, 1), { ...source, artifacts });
    expect(job.final).toMatchObject({ state: 'success' });
    await run(evil, { ...source, artifacts });
    const next = await run(['true'], { ...source, artifacts });
    expect(next.final).toMatchObject({ state: 'success' });
    await expect(stat(escaped)).rejects.toThrow('ENOENT');
  }, 150_000);

  test('a link in place of the environment file does not show a file of the machine', async () => {
    await writeFile(join(root, 'secret'), 'LEAKED=of-the-machine\n');
    const job = await run(['rm "$GITLAB_ENV"; ln -s "$CI_BUILDS_DIR/secret" "$GITLAB_ENV"'], {
      moreSteps: [{ name: 'after_script', script: ['echo "leaked ${LEAKED:-nothing}"'] }],
    });
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.text).toContain('\nleaked nothing\n');
  }, 90_000);

  test('what a killed runner left is taken away at the next start', async () => {
    startRunner();
    await run(['true']);
    await runner!.stop(1000);
    const id = (await readFile(join(root, '.flagfall', 'system-id'), 'utf8')).trim();
    await docker('create', '--label', `flagfall.runner=${id}`, image, 'sh');
    await docker('network', 'create', '--label', `flagfall.runner=${id}`, `flagfall-test-${suffix}`);
    expect(await left()).not.toBe('');
    startRunner();
    await run(['true']);
    await runner!.stop(1000);
    expect(await left()).toBe('');
  }, 120_000);
});
