import { join } from 'node:path';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { CopiedRefs, type RefsLook } from './copied-refs.js';
import { temporaryDirectory, TestRepository } from './testing/test-repository.js';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let repository: TestRepository;
const copied = new CopiedRefs();

beforeAll(async () => {
  directory = await temporaryDirectory('copied');
  repository = await TestRepository.create(join(directory.path, 'r'));
  await repository.commit({ a: '1' });
  await repository.git('branch', 'topic/deep/one');
});

afterAll(() => directory.remove());

/** As soon as the files are old enough to be relied upon. */
const look = (): Promise<RefsLook> => until('the refs to settle', () => copied.look(join(repository.path, '.git')));

it.each<[string, () => Promise<unknown>]>([
  ['a commit', () => repository.commit({ a: '2' })],
  ['a branch', () => repository.git('branch', 'new')],
  ['a branch in a new directory', () => repository.git('branch', 'other/deep/two')],
  ['a branch moved within its directory', () => repository.git('branch', '--force', 'topic/deep/one', 'main')],
  ['a tag', () => repository.git('tag', 'v1')],
  ['a deleted branch', () => repository.git('branch', '-D', 'new')],
  ['packing', () => repository.git('pack-refs', '--all')],
  ['a packed branch that is deleted', () => repository.git('branch', '-D', 'other/deep/two')],
  ['a commit on a packed branch', () => repository.commit({ a: '3' })],
])('%s is seen', async (_, change) => {
  const before = await look();
  copied.note(1, before);
  expect(copied.has(1, await look())).toBe(true);
  await change();
  expect(copied.has(1, copied.look(join(repository.path, '.git')))).toBe(false);
  expect(copied.has(1, await look())).toBe(false);
});

it('nothing is known of a mirror that is gone, of another one, and of a repository that is none', async () => {
  const seen = await look();
  copied.note(1, seen);
  expect(copied.has(2, seen)).toBe(false);
  copied.forget(1);
  expect(copied.has(1, seen)).toBe(false);
  expect(copied.has(1, undefined)).toBe(false);
  expect(copied.look(join(directory.path, 'none'))).toBeUndefined();
});

it('what has just changed is not relied upon', async () => {
  await repository.commit({ a: '4' });
  expect(copied.look(join(repository.path, '.git'))).toBeUndefined();
});
