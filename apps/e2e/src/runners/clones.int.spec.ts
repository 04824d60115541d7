// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

const run = promisify(execFile);
const file = { '.gitlab-ci.yml': 'job: { script: [make] }' };

const flagfall = startsFlagfall({ name: 'clones', environment: { REQUEST_HOLD_MS: '0' } });
let project: Project;
let runner: HandRunner;
let clones = 0;

beforeAll(async () => {
  project = await flagfall.newProject({ path: 'app', files: file });
  runner = await flagfall.newRunner();
});

async function git(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('git', args, {
    env: { PATH: process.env['PATH'], HOME: flagfall.installation.directory, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
  });
  return `${stdout}${stderr}`.trim();
}

/** What git says when it fails. */
async function complaint(...args: string[]): Promise<string> {
  return git(...args).then(
    () => 'it worked',
    (error: Error & { stderr: string }) => error.stderr,
  );
}

const address = (password: string | null, path = 'group/app') =>
  `${flagfall.url.replace('//', password === null ? '//' : `//gitlab-ci-token:${password}@`)}/${path}.git`;

const directory = () => join(flagfall.installation.directory, `clone-${(clones += 1)}`);

/** Takes the job of a new pipeline as a runner would, and says that it runs. */
async function takeJob(of: Project, ref: string): Promise<TakenJob> {
  await of.trigger(ref);
  return runner.start();
}

/** Fetches as gitlab-runner does (runner-api.md §6.3). */
async function fetchAsRunner(job: TakenJob, version: number): Promise<string> {
  const into = directory();
  const { repo_url, refspecs, depth, sha } = job.git_info;
  await git('init', '--quiet', '--initial-branch=main', into);
  await git('-C', into, 'remote', 'add', 'origin', repo_url);
  const history = depth > 0 ? ['--depth', String(depth)] : [];
  const fetch = ['fetch', 'origin', '--no-recurse-submodules', ...refspecs, ...history, '--prune', '--quiet'];
  await git('-C', into, '-c', `protocol.version=${version}`, ...fetch);
  await git('-C', into, 'checkout', '-f', '-q', sha);
  expect(await git('-C', into, 'rev-parse', 'HEAD')).toBe(sha);
  return into;
}

describe.each([0, 1, 2])('a job that speaks version %i of git’s protocol', (version) => {
  it('gets its commit after a force push, and knows its branch', async () => {
    await project.repository.git('checkout', '-q', '-B', `topic/${version}`, 'main');
    const sha = await project.repository.commit({ [`of-${version}`]: 'x' });
    const job = await takeJob(project, `topic/${version}`);
    await project.repository.git('checkout', '-q', 'main');
    await project.repository.git('branch', '-q', '-D', `topic/${version}`);
    const clone = await fetchAsRunner(job, version);
    expect(await git('-C', clone, 'rev-parse', `origin/topic/${version}`)).toBe(sha);
  });

  it('gets its tag with the message, also when it was deleted meanwhile', async () => {
    await project.repository.git('tag', '-a', '-m', 'Released', `v1.${version}`);
    const job = await takeJob(project, `v1.${version}`);
    const clone = await fetchAsRunner(job, version);
    expect(await git('-C', clone, 'describe')).toBe(`v1.${version}`);
    await project.repository.git('tag', '-d', `v1.${version}`);
    const later = await fetchAsRunner(job, version);
    expect(await git('-C', later, 'describe', '--tags')).toBe(`v1.${version}`);
  });

  it('gets all of the history when it asks for it', async () => {
    const deep = await flagfall.newProject({
      files: { '.gitlab-ci.yml': 'job: { script: [make], variables: { GIT_DEPTH: "0" } }' },
    });
    await deep.repository.git('tag', 'light');
    await deep.repository.commit({ a: '1' });
    const clone = await fetchAsRunner(await takeJob(deep, 'main'), version);
    expect(await git('-C', clone, 'rev-list', '--count', 'HEAD')).toBe('2');
    expect(await git('-C', clone, 'tag')).toBe('light');
    expect(await git('-C', clone, 'branch', '-r')).toBe('origin/main');
  });

  it('gets its commit from a public project, where git is not asked for its token', async () => {
    const open = await flagfall.newProject({
      files: { '.gitlab-ci.yml': 'job: {script: [make]}' },
      visibility: 'public',
    });
    // Of several pipelines of one commit only the first is kept before its job asks.
    const jobs = [await takeJob(open, 'main'), await takeJob(open, 'main')];
    for (const job of jobs) await fetchAsRunner(job, version);
  }, 30_000);

  it('may fetch another branch by its name', async () => {
    const job = await takeJob(project, 'main');
    const clone = await fetchAsRunner(job, version);
    await project.repository.git('branch', '-f', `other-${version}`, 'main');
    await git('-C', clone, '-c', `protocol.version=${version}`, 'fetch', '--quiet', 'origin', `other-${version}`);
    expect(await git('-C', clone, 'rev-parse', 'FETCH_HEAD')).toBe(job.git_info.sha);
  });
});

it('a script that clones its own repository gets the default branch checked out', async () => {
  const mine = await flagfall.newProject({ files: { ...file, 'hello.txt': 'hello' } });
  const job = await takeJob(mine, 'main');
  const clone = directory();
  await git('clone', '--quiet', job.git_info.repo_url, clone);
  expect(await git('-C', clone, 'branch', '--show-current')).toBe('main');
  expect(await git('-C', clone, 'ls-files')).toBe('.gitlab-ci.yml\nhello.txt');
});

it('a person clones what the repository holds now, and cannot push', async () => {
  const fresh = await project.repository.commit({ news: 'today' });
  const clone = directory();
  await git('clone', '--quiet', address(flagfall.rootToken), clone);
  expect(await git('-C', clone, 'rev-parse', 'HEAD')).toBe(fresh);
  expect(await git('-C', clone, 'branch', '--show-current')).toBe('main');
  expect(await complaint('-C', clone, 'push', 'origin', 'HEAD:refs/heads/new')).toContain('read-only');
});

it.each([
  ['nobody', () => address(null)],
  ['an unknown token', () => address('glpat-nobody')],
  ['an unknown project', () => address(null, 'group/none')],
])('%s gets nothing', async (_, url) => {
  expect(await complaint('ls-remote', url())).toMatch(/Authentication failed|could not read Username/);
});

it('anybody clones a public project', async () => {
  const open = await flagfall.newProject({ files: file, visibility: 'public' });
  expect(await git('ls-remote', '--heads', address(null, open.path))).toContain('refs/heads/main');
});

it('a runner may clone its job’s project from when it has the job, and no other before it says so', async () => {
  const [own, readable] = [await flagfall.newProject({ files: file }), await flagfall.newProject({ files: file })];
  await own.trigger();
  const job = await runner.take();
  await fetchAsRunner(job, 2);
  expect(await complaint('ls-remote', address(job.token, readable.path))).toContain('Authentication failed');
  expect((await flagfall.call({ path: '/job', headers: { 'JOB-TOKEN': job.token } })).status).toBe(401);
  expect((await runner.put(job, { state: 'running' })).status).toBe(200);
  await runner.end(job, 'success');
});

it('a job’s token opens its own project and what its user may read, and only while it runs', async () => {
  const [readable, hidden] = [await flagfall.newProject({ files: file }), await flagfall.newProject({ files: file })];
  const developer = await flagfall.newUser('developer');
  await flagfall.join(project, developer, 40);
  await flagfall.join(readable, developer, 20);
  await flagfall.trigger(await flagfall.newTrigger(project, developer));
  const job = await runner.start();
  expect(await git('ls-remote', address(job.token, readable.path))).toContain('refs/heads/main');
  for (const path of [hidden.path, 'group/none'])
    expect(await complaint('ls-remote', address(job.token, path))).toContain('those that its user may read');
  expect(await git('ls-remote', address(job.token))).toContain('refs/heads/main');
  await runner.end(job, 'success');
  expect(await complaint('ls-remote', address(job.token))).toContain('Authentication failed');
});
