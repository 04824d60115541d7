import { chown, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Repositories } from './repositories.js';
import { CommitNotFound, FileTooLarge, RefAmbiguous, RefNotFound, RepositoryUnreadable } from './repository-errors.js';
import { temporaryDirectory, TestRepository } from './testing/test-repository.js';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let repositories: Repositories;
let serial = 0;

beforeAll(async () => {
  directory = await temporaryDirectory('local');
  repositories = new Repositories({
    cacheDir: join(directory.path, 'cache'),
    schemes: ['file'],
    privateHosts: [],
    loopback: false,
    gitTimeoutMs: 60_000,
  });
});

afterAll(async () => {
  await repositories.close();
  await directory.remove();
});

async function newRepository(...options: string[]) {
  serial += 1;
  const repository = await TestRepository.create(join(directory.path, `r${serial}`), ...options);
  const first = await repository.commit({ '.gitlab-ci.yml': 'job: {script: [make]}\n' }, 'First');
  return { repository, first, address: { projectId: serial, url: repository.path } };
}

it('tells files apart by their contents and by their last change', async () => {
  const { repository, first, address } = await newRepository();
  const second = await repository.commit({ 'a.lock': 'one', 'dir/[b].lock': 'one' }, 'Second');
  const third = await repository.commit({ 'a.lock': 'two' }, 'Third');
  const ids = (sha: string) => repositories.blobIds(address, sha, ['a.lock', 'dir/[b].lock', 'dir', 'gone', '../x']);
  const [one, two] = [await ids(second), await ids(third)];
  expect(one.slice(2)).toEqual([null, null, null]);
  expect([one[0], two[0] === one[0], two[1]]).toEqual([one[1], false, one[1]]);
  const change = (sha: string, path: string) => repositories.lastChange(address, sha, path, 10_000);
  expect(await change(third, 'a.lock')).toBe(third);
  expect(await change(second, 'a.lock')).toBe(second);
  expect(await change(third, 'dir/[b].lock')).toBe(second);
  expect(await change(first, 'a.lock')).toBeNull();
  expect(await change(third, ':(top)a.lock')).toBeNull();
  await expect(change('0'.repeat(40), 'a.lock')).rejects.toThrow(CommitNotFound);
});

describe('which refs resolve', () => {
  it('tells branches and tags by short and full names, with their commit', async () => {
    const { repository, first, address } = await newRepository();
    await repository.git('tag', 'light');
    await repository.git('tag', '--annotate', '--message', 'The first\n\nof many', 'v1.0');
    await repository.git('tag', '--annotate', '--message', 'outer', 'nested', 'v1.0');
    await repository.git('branch', 'feature/a.b#ü');
    expect(await repositories.resolve(address, 'main')).toMatchObject({
      ref: 'main',
      type: 'branch',
      sha: first,
      commit: {
        sha: first,
        message: 'First\n',
        authorName: 'Ada Author',
        committerEmail: 'ada@example.com',
        parentIds: [],
      },
    });
    expect(await repositories.resolve(address, 'refs/heads/main')).toMatchObject({
      ref: 'main',
      type: 'branch',
      sha: first,
    });
    expect(await repositories.resolve(address, 'feature/a.b#ü')).toMatchObject({
      ref: 'feature/a.b#ü',
      type: 'branch',
    });
    const light = await repositories.resolve(address, 'light');
    expect(light).toMatchObject({ ref: 'light', type: 'tag', sha: first });
    expect(light).not.toHaveProperty('tagMessage');
    const v1 = { ref: 'v1.0', type: 'tag', sha: first, tagMessage: 'The first\n\nof many' };
    expect(await repositories.resolve(address, 'v1.0')).toMatchObject(v1);
    expect(await repositories.resolve(address, 'refs/tags/v1.0')).toMatchObject(v1);
    expect(await repositories.resolve(address, 'nested')).toMatchObject({ sha: first, tagMessage: 'outer' });
    await expect(repositories.resolve(address, 'refs/heads/v1.0')).rejects.toThrow(RefNotFound);
    await expect(repositories.resolve(address, 'refs/tags/main')).rejects.toThrow(RefNotFound);
  });

  it('calls a short name ambiguous that is both, and takes its full names', async () => {
    const { repository, first, address } = await newRepository();
    await repository.git('tag', 'dup');
    await repository.git('checkout', '--quiet', '-b', 'dup');
    const second = await repository.commit({}, 'Second');
    await expect(repositories.resolve(address, 'dup')).rejects.toThrow(RefAmbiguous);
    expect(await repositories.resolve(address, 'refs/heads/dup')).toMatchObject({ type: 'branch', sha: second });
    expect(await repositories.resolve(address, 'refs/tags/dup')).toMatchObject({ type: 'tag', sha: first });
  });

  it('says that there is no commit behind a tag of a file or a tree', async () => {
    const { repository, address } = await newRepository();
    await repository.git('tag', 'blob', 'HEAD:.gitlab-ci.yml');
    await repository.git('tag', '--annotate', '--message', 'm', 'tree', 'HEAD^{tree}');
    for (const ref of ['blob', 'refs/tags/tree']) {
      await expect(repositories.resolve(address, ref)).rejects.toThrow(CommitNotFound);
    }
  });

  it('never takes a name for what git would take it for', async () => {
    const { repository, first, address } = await newRepository();
    await repository.git('update-ref', 'refs/merge-requests/1/head', first);
    await repository.git('update-ref', 'refs/remotes/origin/other', first);
    await repository.git('update-ref', 'refs/heads/refs/tags/v9', first);
    await repository.git('update-ref', 'refs/tags/refs/heads/prod', first);
    const short = first.slice(0, 8);
    const refused = [
      'HEAD',
      'FETCH_HEAD',
      first,
      short,
      first.toUpperCase(),
      'main~1',
      'main^',
      'main^{commit}',
      'main@{0}',
      '@',
      '-',
      '',

      'heads/main',
      'tags/main',
      'remotes/origin/other',
      'origin/other',
      'refs/remotes/origin/other',
      'refs/merge-requests/1/head',

      `x-g${short}`,
      `refs/heads/x-g${short}`,
      `refs/tags/v1-4-G${short}`,
      ':/First',
      'main:.gitlab-ci.yml',
      ':0:.gitlab-ci.yml',

      'refs/tags/v9',
      'refs/heads/prod',
      'refs/heads/',
      'refs/tags',
      'main ',
      ' main',
      'main\n',
      'main\nrefs/heads/main',
      'main\0',
      'main\r',

      '--upload-pack=touch x',
      '-h',
      '$(touch x)',
      '`touch x`',
      '; touch x',
      '../../main',
      'main/../main',
      'main//',
      '/main',
      'main.lock',

      'a'.repeat(100_000),
      'refs/heads/' + 'a/'.repeat(2_000) + 'a',
      '\ud800',
      '💥'.repeat(40),
      '%0a',
      'main?',
      '[m]ain',
      'ma*',
    ];
    for (const ref of refused) {
      await expect(repositories.resolve(address, ref)).rejects.toThrow(RefNotFound);
    }
    expect(await repositories.resolve(address, 'refs/heads/refs/tags/v9')).toMatchObject({
      type: 'branch',
      ref: 'refs/tags/v9',
    });
    expect(await repositories.resolve(address, 'main')).toMatchObject({ sha: first });
  });

  it('finds refs that are literally called so', async () => {
    const { repository, first, address } = await newRepository();
    const names = [
      'HEAD',
      'heads/main',
      'refs/merge-requests/1/head',
      first,
      first.slice(0, 10),
      `x-g${first.slice(0, 8)}`,
      '--help',
    ];
    for (const name of names) await repository.git('update-ref', `refs/heads/${name}`, first);
    for (const name of names)
      expect(await repositories.resolve(address, name)).toMatchObject({ ref: name, type: 'branch', sha: first });
    await repository.git('update-ref', 'refs/tags/v9', first);
    await repository.git('update-ref', 'refs/heads/refs/tags/v9', first);
    expect(await repositories.resolve(address, 'refs/tags/v9')).toMatchObject({ ref: 'v9', type: 'tag' });
  });
});

describe('a repository that changes', () => {
  it('is seen as it is: pushed, moved, packed, repacked, deleted', async () => {
    const { repository, first, address } = await newRepository();
    const shaOf = async (ref: string) => (await repositories.resolve(address, ref)).sha;
    expect(await shaOf('main')).toBe(first);
    const second = await repository.commit({ a: '2' });
    expect(await shaOf('main')).toBe(second);

    await repository.git('pack-refs', '--all');
    expect(await shaOf('main')).toBe(second);
    const third = await repository.commit({ a: '3' });
    expect(await shaOf('main')).toBe(third);
    await repository.git('gc', '--quiet', '--prune=now');
    expect(await shaOf('main')).toBe(third);
    expect(await repositories.readFile(address, third, 'a')).toMatchObject({ text: '3' });
    expect(await repositories.readFile(address, second, 'a')).toMatchObject({ text: '2' });

    // As a push does it: a new pack, and a ref that leads into it.
    const clone = await TestRepository.create(join(directory.path, `clone${serial}`));
    await clone.git('fetch', '--quiet', repository.path, 'main');
    await clone.git('checkout', '--quiet', '-b', 'topic', 'FETCH_HEAD');
    const pushed = await clone.commit({ a: '4' });
    await clone.git('-c', 'push.negotiate=false', 'push', '--quiet', repository.path, 'topic');
    expect(await shaOf('topic')).toBe(pushed);
    await repository.git('repack', '-a', '-d', '--quiet');
    expect(await shaOf('topic')).toBe(pushed);

    await repository.git('reset', '--hard', '--quiet', first);
    expect(await shaOf('main')).toBe(first);
    await repository.git('pack-refs', '--all');
    await repository.git('branch', '-D', 'topic');
    await expect(repositories.resolve(address, 'topic')).rejects.toThrow(RefNotFound);
    await repository.git('branch', 'topic/below', first);
    expect(await shaOf('topic/below')).toBe(first);
  });

  it('is unreadable once it is gone, and readable again when it is back', async () => {
    const { repository, first, address } = await newRepository();
    await repositories.resolve(address, 'main');
    await rename(repository.path, `${repository.path}-away`);
    await expect(repositories.resolve(address, 'main')).rejects.toMatchObject({
      transient: false,
      reason: 'there is no git repository at this address',
    });
    await rename(`${repository.path}-away`, repository.path);
    expect((await repositories.resolve(address, 'main')).sha).toBe(first);
    await rm(repository.path, { recursive: true });
    const again = await TestRepository.create(repository.path);
    const other = await again.commit({ b: '1' }, 'Other');
    expect((await repositories.resolve(address, 'main')).sha).toBe(other);
  });
});

describe('files at a commit', () => {
  it('are read and listed at that commit, whatever their names', async () => {
    const { repository, first, address } = await newRepository();
    await mkdir(join(repository.path, 'd'));
    await symlink('../.gitlab-ci.yml', join(repository.path, 'd/link'));
    const second = await repository.commit({
      '.gitlab-ci.yml': 'new',
      'a b/ü missing': 'x',
      'd/e': '',
      large: Buffer.alloc(9_000_000),
    });
    expect(await repositories.readFile(address, first, '.gitlab-ci.yml')).toEqual({
      blob: await repository.git('rev-parse', `${first}:.gitlab-ci.yml`),
      text: 'job: {script: [make]}\n',
    });
    expect(await repositories.readFile(address, second, '.gitlab-ci.yml')).toMatchObject({ text: 'new' });
    expect(await repositories.readFile(address, second, 'a b/ü missing')).toMatchObject({ text: 'x' });
    expect(await repositories.readFile(address, second, 'd/e')).toMatchObject({ text: '' });
    expect(await repositories.readFile(address, second, 'd/link')).toMatchObject({ text: '../.gitlab-ci.yml' });
    for (const path of [
      'none',
      'd',
      'd/',
      '/d/e',
      './d/e',
      '../x',
      'd/../d/e',
      '',
      'd\ne',
      '-h',
      'd/e\0',
      'x'.repeat(100_000),
    ]) {
      expect(await repositories.readFile(address, second, path)).toBeNull();
    }
    await expect(repositories.readFile(address, second, 'large')).rejects.toThrow(FileTooLarge);
    expect(await repositories.listFiles(address, first)).toEqual(['.gitlab-ci.yml']);
    expect(await repositories.listFiles(address, second)).toEqual([
      '.gitlab-ci.yml',
      'a b/ü missing',
      'd/e',
      'd/link',
      'large',
    ]);
    for (const sha of [
      '0'.repeat(40),
      'main',
      first.slice(0, 8),
      `${first}\n${first}`,
      '--all',
      await repository.git('rev-parse', 'HEAD^{tree}'),
    ]) {
      await expect(repositories.readFile(address, sha, '.gitlab-ci.yml')).rejects.toThrow(CommitNotFound);
      await expect(repositories.listFiles(address, sha)).rejects.toThrow(CommitNotFound);
    }
  });
});

describe('kinds of repositories', () => {
  it('are bare, with a working tree, a worktree, shallow, empty, or of SHA-256', async () => {
    const { repository, first, address } = await newRepository();
    const at = (url: string) => repositories.resolve({ projectId: 99, url }, 'main');
    await repository.git('clone', '--quiet', '--bare', '.', `${repository.path}-bare.git`);
    await repository.git('worktree', 'add', '--quiet', `${repository.path}-worktree`, '-b', 'wt');
    const urls = ['-bare.git', '-bare', '-bare.git/', '-worktree', '/.git'].map((end) => repository.path + end);
    for (const url of [...urls, `file://${repository.path}`, `file://${repository.path}/.git`])
      expect((await at(url)).sha).toBe(first);

    const second = await repository.commit({ a: '2' });
    await repository.git('clone', '--quiet', '--depth=1', `file://${repository.path}`, `${repository.path}-shallow`);
    expect((await at(`${repository.path}-shallow`)).commit.parentIds).toEqual([first]);
    await repositories.pin({ projectId: 98, url: `${repository.path}-shallow` }, second, 5);

    const empty = await TestRepository.create(`${repository.path}-empty`);
    await expect(at(empty.path)).rejects.toThrow(RefNotFound);
    expect(await repositories.defaultBranch({ ...address, url: empty.path })).toBeNull();
    expect(await repositories.defaultBranch(address)).toBe('main');

    const sha256 = await newRepository('--object-format=sha256');
    expect((await repositories.resolve(sha256.address, 'main')).sha).toMatch(/^[0-9a-f]{64}$/);
    await repositories.pin(sha256.address, sha256.first, 1);
  });

  it('may belong to somebody else', async () => {
    if (process.getuid?.() !== 0) return;
    const { repository, first, address } = await newRepository();
    for (const path of ['.', '.git', '.git/HEAD', '.git/objects', '.git/refs'])
      await chown(join(repository.path, path), 12_345, 12_345);
    expect((await repositories.resolve(address, 'main')).sha).toBe(first);
    expect(await repositories.listFiles(address, first)).toEqual(['.gitlab-ci.yml']);
    expect(await repositories.defaultBranch(address)).toBe('main');
    await repositories.pin(address, first, 7);
  });

  it('are none where there is none, though one is around it', async () => {
    const { repository, address } = await newRepository();
    await mkdir(join(repository.path, 'inside'));
    await writeFile(join(repository.path, 'file'), '');
    for (const url of ['inside', 'file', 'none', 'file/x'].map((name) => join(repository.path, name))) {
      await expect(repositories.resolve({ ...address, url }, 'main')).rejects.toMatchObject({
        name: 'RepositoryUnreadable',
        transient: false,
      });
    }
  });

  it('are no mirrors of other projects', async () => {
    const { first, address } = await newRepository();
    await repositories.pin(address, first, 1);
    const mirror = repositories.mirrorPath(address.projectId);
    const link = join(directory.path, `link${serial}`);
    await symlink(mirror, link);
    for (const url of [mirror, `file://${mirror}`, `${mirror}/../${serial}.git`, link]) {
      await expect(repositories.resolve({ projectId: 99, url }, 'main')).rejects.toThrow(RepositoryUnreadable);
    }
  });
});

it('answers many questions quickly', async () => {
  const made: Awaited<ReturnType<typeof newRepository>>[] = [];
  for (let index = 0; index < 20; index += 1) made.push(await newRepository());
  const total = 4_000;
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < total) {
        const { address, first } = made[next++ % made.length]!;
        const resolved = await repositories.resolve(address, 'main');
        expect(resolved.sha).toBe(first);
        await repositories.readFile(address, resolved.sha, '.gitlab-ci.yml');
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`resolve and readFile, 20 local repositories, 64 at once: ${Math.round(total / seconds)}/s\n`);
});

it('pins many pipelines, together where they come together', async () => {
  const { first, address } = await newRepository();
  const total = 2_400;
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < total) await repositories.pin(address, first, ++next);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`pins of one commit, 64 at once: ${Math.round(total / seconds)}/s\n`);
  const mirror = TestRepository.at(repositories.mirrorPath(address.projectId));
  const pins = (await mirror.git('for-each-ref', '--format=%(objectname)', 'refs/pipelines')).split('\n');
  expect(pins).toEqual(Array.from({ length: total }, () => first));
});

it('pins beside a commit that does not exist, which alone fails', async () => {
  const { repository, first, address } = await newRepository();
  const second = await repository.commit({ a: '2' });
  const shas = [first, second, '1'.repeat(40), second, await repository.git('rev-parse', 'HEAD^{tree}'), first];
  const results = await Promise.allSettled(shas.map((sha, index) => repositories.pin(address, sha, index + 1)));
  expect(results.map((result) => (result.status === 'rejected' ? (result.reason as unknown) : 'pinned'))).toEqual([
    'pinned',
    'pinned',
    expect.any(CommitNotFound),
    'pinned',
    expect.any(CommitNotFound),
    'pinned',
  ]);
  const mirror = TestRepository.at(repositories.mirrorPath(address.projectId));
  expect(await mirror.git('for-each-ref', '--format=%(refname:lstrip=2) %(objectname)', 'refs/pipelines')).toBe(
    [`1 ${first}`, `2 ${second}`, `4 ${second}`, `6 ${first}`].join('\n'),
  );
  for (const sha of ['main', '--all', `${first}\n`, first.slice(0, 12)]) {
    await expect(repositories.pin(address, sha, 9)).rejects.toThrow(CommitNotFound);
  }
});
