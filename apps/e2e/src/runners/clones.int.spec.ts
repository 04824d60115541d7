import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type TestProject, Workshop } from '../testing/workshop.js';

const run = promisify(execFile);
const file = { '.gitlab-ci.yml': 'job: { script: [make] }' };

let workshop: Workshop;
let project: TestProject;
let clones = 0;

beforeAll(async () => {
  workshop = await Workshop.open('clones', { REQUEST_HOLD_MS: '0' });
  project = await workshop.newProject('app', file);
}, 60_000);
afterAll(() => workshop?.close());

async function git(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('git', args, {
    env: { PATH: process.env['PATH'], HOME: workshop.directory, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
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

const address = (password: string | null, path = 'crew/app') =>
  `${workshop.url.replace('//', password === null ? '//' : `//gitlab-ci-token:${password}@`)}/${path}.git`;

const directory = () => join(workshop.directory, `clone-${(clones += 1)}`);

/** Takes the job of a new pipeline as a runner would, and says that it runs. */
async function takeJob(of: TestProject, ref: string) {
  await workshop.trigger(of, ref);
  const token = await workshop.newRunner();
  const { status, body } = await workshop.call('POST', '/jobs/request', { token: null, json: { token } });
  expect(status).toBe(201);
  await workshop.must('PUT', `/jobs/${body.id}`, { token: null, json: { token: body.token, state: 'running' } });
  return body;
}

/** Fetches as gitlab-runner does (runner-api.md §6.3). */
async function fetchAsRunner(job: Awaited<ReturnType<typeof takeJob>>, version: number): Promise<string> {
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
  }, 30_000);

  it('gets its tag with the message, also when it was deleted meanwhile', async () => {
    await project.repository.git('tag', '-a', '-m', 'Released', `v1.${version}`);
    const job = await takeJob(project, `v1.${version}`);
    const clone = await fetchAsRunner(job, version);
    expect(await git('-C', clone, 'describe')).toBe(`v1.${version}`);
    await project.repository.git('tag', '-d', `v1.${version}`);
    const later = await fetchAsRunner(job, version);
    expect(await git('-C', later, 'describe', '--tags')).toBe(`v1.${version}`);
  }, 30_000);

  it('gets all of the history when it asks for it', async () => {
    const deep = await workshop.newProject(`deep-${version}`, {
      '.gitlab-ci.yml': 'job: { script: [make], variables: { GIT_DEPTH: "0" } }',
    });
    await deep.repository.git('tag', 'light');
    await deep.repository.commit({ a: '1' });
    const clone = await fetchAsRunner(await takeJob(deep, 'main'), version);
    expect(await git('-C', clone, 'rev-list', '--count', 'HEAD')).toBe('2');
    expect(await git('-C', clone, 'tag')).toBe('light');
    expect(await git('-C', clone, 'branch', '-r')).toBe('origin/main');
  }, 30_000);

  it('may fetch another branch by its name', async () => {
    const job = await takeJob(project, 'main');
    const clone = await fetchAsRunner(job, version);
    await project.repository.git('branch', '-f', `other-${version}`, 'main');
    await git('-C', clone, '-c', `protocol.version=${version}`, 'fetch', '--quiet', 'origin', `other-${version}`);
    expect(await git('-C', clone, 'rev-parse', 'FETCH_HEAD')).toBe(job.git_info.sha);
  }, 30_000);
});

it('a person clones what the repository holds now, and cannot push', async () => {
  const { body } = await workshop.call('POST', `/users/1/personal_access_tokens`, {
    json: { name: 'clone', scopes: ['api'] },
  });
  const fresh = await project.repository.commit({ news: 'today' });
  const clone = directory();
  await git('clone', '--quiet', address(body.token), clone);
  expect(await git('-C', clone, 'rev-parse', 'HEAD')).toBe(fresh);
  expect(await git('-C', clone, 'branch', '--show-current')).toBe('main');
  expect(await complaint('-C', clone, 'push', 'origin', 'HEAD:refs/heads/new')).toContain('read-only');
}, 30_000);

it.each([
  ['nobody', () => address(null)],
  ['an unknown token', () => address('glpat-nobody')],
  ['an unknown project', () => address(null, 'crew/none')],
])('%s gets nothing', async (_, url) => {
  expect(await complaint('ls-remote', url())).toMatch(/Authentication failed|could not read Username/);
});

it('anybody clones a public project', async () => {
  const open = await workshop.newProject('open', file, { visibility: 'public' });
  expect(await git('ls-remote', '--heads', address(null, open.path))).toContain('refs/heads/main');
});

it('a job’s token opens its own project only, and only while it runs', async () => {
  const other = await workshop.newProject('other', file);
  const job = await takeJob(project, 'main');
  expect(await complaint('ls-remote', address(job.token, other.path))).toContain('its own project only');
  expect(await git('ls-remote', address(job.token))).toContain('refs/heads/main');
  await workshop.must('PUT', `/jobs/${job.id}`, { token: null, json: { token: job.token, state: 'success' } });
  expect(await complaint('ls-remote', address(job.token))).toContain('Authentication failed');
}, 30_000);
