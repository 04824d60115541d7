import { parseJob } from './job.payload.js';
import { gitCredentials, passwordsOf, remoteUrl } from './git-remote.js';
import {
  attempts,
  checkGitInfo,
  cleanArguments,
  fetchArguments,
  gitStrategy,
  repositoryConfiguration,
  submoduleArguments,
} from './sources.js';
import { locateWorkspace, shortenToken } from './workspace.js';

const sha = '2f1e9c0d6b7a8f5e4d3c2b1a09f8e7d6c5b4a392';
const url = 'http://gitlab-ci-token:glcbt-4f7e@ci.example:8080/team/app.git';

function job(git: object = {}, more: object = {}) {
  return parseJob({
    id: 1,
    token: 't',
    job_info: { project_id: 12 },
    git_info: {
      repo_url: url,
      sha,
      ref: 'main',
      refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
      depth: 20,
      ...git,
    },
    ...more,
  });
}

const settings = (values: Record<string, string>) => (name: string) => values[name];

test('the strategy follows GIT_STRATEGY, else allow_git_fetch', () => {
  expect(gitStrategy(job(), settings({}))).toBe('clone');
  expect(gitStrategy(job({}, { allow_git_fetch: true }), settings({}))).toBe('fetch');
  expect(gitStrategy(job(), settings({ GIT_STRATEGY: 'empty' }))).toBe('empty');
  expect(() => gitStrategy(job(), settings({ GIT_STRATEGY: 'pull' }))).toThrow('unknown GIT_STRATEGY "pull"');
});

test.each([
  [{ repo_url: '' }, 'no repository'],
  [{ repo_url: '--upload-pack=id' }, 'malformed'],
  [{ repo_url: 'http://a/\nb' }, 'malformed'],
  [{ sha: 'main' }, 'not a commit id'],
  [{ sha: '--help123' }, 'not a commit id'],
  [{ refspecs: ['--upload-pack=id'] }, 'refspec'],
])('git information %j is refused', (git, message) => {
  expect(() => checkGitInfo(job(git))).toThrow(message);
});

test('fetch takes depth, unshallows without one, and honours extra flags', () => {
  const spec = '+refs/heads/main:refs/remotes/origin/main';
  expect(fetchArguments(job(), settings({}), 'whole').join(' ')).toBe(
    `fetch --no-recurse-submodules --depth 20 --prune --quiet -- origin ${spec}`,
  );
  expect(fetchArguments(job({ depth: 0 }), settings({}), 'shallow')).toContain('--unshallow');
  expect(fetchArguments(job({ depth: 0 }), settings({}), 'whole')).not.toContain('--unshallow');
  expect(fetchArguments(job(), settings({ GIT_FETCH_EXTRA_FLAGS: '--no-tags  -v' }), 'whole').join(' ')).toBe(
    `fetch --no-recurse-submodules --depth 20 --no-tags -v -- origin ${spec}`,
  );
});

test('clean and submodules follow their variables', () => {
  expect(cleanArguments(settings({}))).toEqual(['clean', '-ffdx']);
  expect(cleanArguments(settings({ GIT_CLEAN_FLAGS: '-ffd -e cache/' }))).toEqual(['clean', '-ffd', '-e', 'cache/']);
  expect(cleanArguments(settings({ GIT_CLEAN_FLAGS: 'none' }))).toBeUndefined();
  expect(submoduleArguments(job(), settings({}), true)).toEqual([]);
  expect(
    submoduleArguments(job(), settings({ GIT_SUBMODULE_STRATEGY: 'recursive', GIT_SUBMODULE_PATHS: 'a b' }), true).map(
      (args) => args.join(' '),
    ),
  ).toEqual([
    'submodule init -- a b',
    'submodule sync --recursive -- a b',
    'submodule update --init --recursive --depth 20 -- a b',
    'submodule --quiet foreach --recursive git reset --quiet --hard',
    "submodule --quiet foreach --recursive git 'clean' '-ffdx'",
  ]);
});

test.each([
  [undefined, 1],
  ['3', 3],
  ['0', 1],
  ['11', 1],
  ['x', 1],
])('%j attempts are %i', (value, expected) => {
  expect(attempts(value)).toBe(expected);
});

test('credentials stand in the store alone', () => {
  expect(remoteUrl(url)).toBe('http://ci.example:8080/team/app.git');
  expect(repositoryConfiguration(job(), 'linux')).not.toContain('glcbt');
  expect(gitCredentials(url)).toBe('http://gitlab-ci-token:glcbt-4f7e@ci.example:8080');
  expect(gitCredentials('https://host/public.git')).toBeUndefined();
  expect(remoteUrl('ssh://git@host/x.git')).toBe('ssh://git@host/x.git');
  expect(remoteUrl('/srv/x.git')).toBe('/srv/x.git');
  expect(passwordsOf('https://u:p%40ss@host/x.git')).toEqual(['p%40ss', 'p@ss']);
});

test.each([
  [url, 'team/app'],
  ['https://host/a/b/c.git', 'a/b/c'],
  ['https://host/../../etc.git', 'etc'],
  ['https://host/a/%2e%2e/x.git', 'x'],
  ['https://host/a%2f..%2fb.git', 'a%2f..%2fb'],
  ['https://host/a/b c.git', 'a/b%20c'],
  ['https://host/', 'project-12'],
  ['https://host/team/app.tmp.git', 'project-12'],
  ['file:///srv/x.git', 'project-12'],
  ['/srv/x.git', 'project-12'],
  ['', 'project-12'],
])('%j is checked out in %s', (repoUrl, directory) => {
  expect(locateWorkspace('/builds', 'short', 0, job({ repo_url: repoUrl })).project).toBe(
    `/builds/short/0/${directory}`,
  );
});

test.each([
  ['glrt-k3Zp0Yt7Q2mN8sVb1xWd', 'k3Zp0Yt7Q'],
  ['glrt-t1_k3Zp0Yt7Q2mN8s', 'k3Zp0Yt7Q'],
  ['glrtr-abcdefghijk', 'abcdefghi'],
  ['../../x/y/z', '______x_y'],
])('token %s is shown as %s', (token, short) => {
  expect(shortenToken(token)).toBe(short);
});
