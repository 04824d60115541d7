import { createHash } from 'node:crypto';
import type { Cache } from '#libs/ci-config';
import { cacheKeys, type CommittedFiles } from './cache-keys.js';

const there: Record<string, { blob: string; commit: string }> = {
  'package.json': { blob: 'b1', commit: 'c2' },
  'app/package.json': { blob: 'b2', commit: 'c1' },
  'Gemfile.lock': { blob: 'b3', commit: 'c1' },
};
const files: CommittedFiles = {
  list: () => Promise.resolve(Object.keys(there)),
  blobIds: (paths) => Promise.resolve(paths.map((path) => there[path]?.blob ?? null)),
  lastChange: (path) => Promise.resolve(there[path]?.commit ?? null),
};
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');

it.each<[string, Cache['key'], string | null]>([
  ['a text is no key of files', 'text', null],
  ['nor is none', undefined, null],
  ['contents', { files: ['package.json'], prefix: 'npm' }, `npm-${sha1('b1')}`],
  ['in whatever order', { files: ['Gemfile.lock', 'package.json'], prefix: 'x' }, `x-${sha1('b1-b3')}`],
  ['a pattern', { files: ['**/package.json', 'package.json'], prefix: 'x' }, `x-${sha1('b1-b2')}`],
  ['a file that is not there does not count', { files: ['gone', 'package.json'], prefix: 'x' }, `x-${sha1('b1')}`],
  ['none is there', { files: ['gone'], prefix: 'x' }, 'x-default'],
  ['no prefix', { files: ['app/package.json'] }, `1_app_package-${sha1('b2')}`],
  ['commits', { filesCommits: ['package.json', 'Gemfile.lock'], prefix: 'x' }, `x-${sha1('c1-c2')}`],
  ['one commit of two files', { filesCommits: ['app/package.json', 'Gemfile.lock'] }, `1-${sha1('c1')}`],
  ['a prefix alone', { prefix: '$CI_COMMIT_REF_SLUG' }, '$CI_COMMIT_REF_SLUG-default'],
])('%s', async (_, key, expected) => {
  const cache = { policy: 'pull-push', when: 'on_success' } as const;
  expect(await cacheKeys([cache, { ...cache, key }], files)).toEqual([null, expected]);
});
