import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FoundRefs } from './ref-name.js';
import { UnchangedRefs } from './unchanged-refs.js';

const candidates = { branch: 'refs/heads/main', tag: 'refs/tags/main' };

describe('UnchangedRefs', () => {
  let repository: string;
  let asked: number;
  let refs: UnchangedRefs;

  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.com', '-C', repository, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: repository },
    }).trim();
  const commit = (): string => {
    git('commit', '-q', '--allow-empty', '-m', 'change');
    return git('rev-parse', 'HEAD');
  };
  const tip = (name: string): FoundRefs['branch'] => {
    try {
      return { sha: git('show-ref', '--verify', '--hash', name), type: 'commit', size: 1 };
    } catch {
      return undefined;
    }
  };
  const find = async (): Promise<FoundRefs> =>
    refs.find(repository, candidates) ??
    refs.learn(repository, join(repository, '.git'), candidates, () => {
      asked += 1;
      return Promise.resolve({ branch: tip(candidates.branch), tag: tip(candidates.tag) });
    });
  /** Files that are old enough to be relied upon: the kernel stamps a change of times too, so the test waits until that is past. */
  const settle = async (): Promise<void> => {
    const until = Date.now() + 150;
    while (Date.now() < until) await new Promise((resolve) => setImmediate(resolve));
    await find();
  };

  beforeEach(() => {
    repository = mkdtempSync(join(tmpdir(), 'unchanged-refs-'));
    refs = new UnchangedRefs();
    asked = 0;
    git('init', '-q', '-b', 'main');
    commit();
  });
  afterEach(() => rmSync(repository, { recursive: true, force: true }));

  it('asks git once while nothing changes', async () => {
    await settle();
    const before = asked;
    for (let i = 0; i < 5; i++) expect((await find()).branch?.sha).toBe(git('rev-parse', 'main'));
    expect(asked).toBe(before);
  });

  it('does not rely on files that have just been written', async () => {
    // However long it takes from here to the look.
    const soon = Date.now() / 1000 + 3_600;
    utimesSync(join(repository, '.git/refs/heads/main'), soon, soon);
    await find();
    await find();
    expect(asked).toBe(2);
  });

  it.each<[string, () => void]>([
    ['a commit', () => void commit()],
    ['a tag of that name', () => void git('tag', 'main')],
    ['a deletion', () => void git('update-ref', '-d', 'refs/heads/main')],
    ['packing', () => void git('pack-refs', '--all', '--prune')],
    ['a forced move back', () => void (commit(), git('update-ref', 'refs/heads/main', 'HEAD~1'))],
    [
      'a symbolic ref in its place',
      () => void (git('branch', 'other'), git('symbolic-ref', 'refs/heads/main', 'refs/heads/other')),
    ],
  ])('sees %s', async (_, change) => {
    await settle();
    change();
    expect(await find()).toEqual({ branch: tip(candidates.branch), tag: tip(candidates.tag) });
  });

  it('sees packed refs change, and a commit with the old times of its file', async () => {
    git('pack-refs', '--all');
    await settle();
    const sha = commit();
    utimesSync(join(repository, '.git/refs/heads/main'), 0, 0);
    expect((await find()).branch?.sha).toBe(sha);
  });

  it('never remembers symbolic refs and linked working trees', async () => {
    git('branch', 'other');
    git('symbolic-ref', 'refs/heads/main', 'refs/heads/other');
    await settle();
    const before = asked;
    await find();
    expect(asked).toBe(before + 1);
    git('symbolic-ref', '--delete', 'refs/heads/main');
    writeFileSync(join(repository, '.git/commondir'), '.');
    await settle();
    const later = asked;
    await find();
    expect(asked).toBe(later + 1);
  });
});
