import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Runner, type RunnerOptions } from '../runner.js';
import { RUNNER_TOKEN, StrictCoordinator, type CoordinatorJob } from '../testing/strict-coordinator.js';
import { CacheStore } from './cache-store.js';

let coordinator: StrictCoordinator;
let root: string;
let runner: Runner;

beforeEach(async () => {
  coordinator = await StrictCoordinator.start();
  root = await mkdtemp(join(tmpdir(), 'cache-'));
  runner = startRunner({});
});

afterEach(async () => {
  await runner.stop(0);
  await coordinator.crash();
  await rm(root, { recursive: true, force: true });
  expect(coordinator.violations).toEqual([]);
});

function startRunner(options: Partial<RunnerOptions>): Runner {
  const started = new Runner({
    url: coordinator.url,
    token: RUNNER_TOKEN,
    buildsDir: join(root, 'builds'),
    cacheDir: join(root, 'cache'),
    say: () => undefined,
    ...options,
  });
  started.start();
  return started;
}

/** Every job starts from an empty directory: what it finds came out of a cache. */
async function run(script: string, cache: object[], more: Record<string, any> = {}): Promise<CoordinatorJob> {
  const variables = Object.entries({ GIT_STRATEGY: 'empty', ...more['values'] }).map(([key, value]) => ({
    key,
    value,
  }));
  const job = coordinator.enqueue([script], { ...more, cache, variables });
  await coordinator.ended(job);
  return job;
}

const deps = { key: 'deps', paths: ['deps/'], policy: 'pull-push', when: 'on_success' };
const make = (content: string) =>
  `mkdir -p deps; echo ${content} > deps/file; chmod 755 deps/file; ln -sf file deps/link`;
const show = 'cat deps/link 2>/dev/null || echo nothing';

test('what one job keeps the next one finds, with permissions and links', async () => {
  const first = await run(make('one'), [deps]);
  const second = await run(`${show}; stat -c %a deps/file`, [deps]);
  expect(first.text).toMatch(
    /section_start:\d+:restore_cache\r[^]*Checking cache for deps\.\.\.[^]*Cache file does not exist/,
  );
  expect(first.text).toMatch(
    /section_start:\d+:archive_cache\r[^]*Saving cache for successful job[^]*Creating cache deps\.\.\.[^]*Created cache/,
  );
  expect(second.text).toContain('Successfully extracted cache');
  expect(second.text).toContain('\none\n755\n');
  // Restored files have the whole seconds of the archive, so the first state after that is packed once more.
  const third = await run(show, [deps]);
  const fourth = await run(show, [deps]);
  expect(third.text).toContain('\none\n');
  expect(fourth.text).toContain('Archive is up to date!');
});

test('keys have variables; another key is another cache', async () => {
  const keyed = { ...deps, key: '$CI_COMMIT_REF_SLUG/../$UNKNOWN' };
  await run(make('main'), [keyed], { values: { CI_COMMIT_REF_SLUG: 'main' } });
  const same = await run(show, [keyed], { values: { CI_COMMIT_REF_SLUG: 'main' } });
  const other = await run(show, [keyed], { values: { CI_COMMIT_REF_SLUG: 'other' } });
  expect(same.text).toContain('Checking cache for main/../...');
  expect(same.text).toContain('\nmain\n');
  expect(other.text).toContain('\nnothing\n');
  // No key leads out of the directory.
  expect(await readdir(join(root, 'cache'))).toEqual(['k3Zp0Yt7Q']);
});

test('projects do not share keys', async () => {
  await run(make('one'), [deps]);
  const other = await run(show, [deps], { job_info: { name: 'x', project_id: 13 } });
  expect(other.text).toContain('\nnothing\n');
});

test('fallback keys are tried in order, CACHE_FALLBACK_KEY last, and never one of protected refs', async () => {
  await run(make('fallback'), [{ ...deps, key: 'b' }]);
  const listed = await run(show, [{ ...deps, key: 'new', policy: 'pull', fallback_keys: ['a', '$SECOND'] }], {
    values: { SECOND: 'b' },
  });
  expect(listed.text).toMatch(/cache for new[^]*cache for a\.[^]*cache for b\.[^]*\nfallback\n/);
  const own = await run(show, [{ ...deps, key: 'new', policy: 'pull' }], { values: { CACHE_FALLBACK_KEY: 'b' } });
  expect(own.text).toContain('\nfallback\n');
  await run(make('guarded'), [{ ...deps, key: 'main-protected' }]);
  const refused = await run(show, [{ ...deps, key: 'new', policy: 'pull' }], {
    values: { CACHE_FALLBACK_KEY: 'main-protected' },
  });
  expect(refused.text).toContain('may not end in "-protected"');
  expect(refused.text).toContain('\nnothing\n');
});

test('policies: pull keeps nothing, push restores nothing, a variable may say which', async () => {
  await run(make('one'), [deps]);
  const pulled = await run(`${show}; echo changed > deps/file`, [{ ...deps, policy: '$POLICY' }], {
    values: { POLICY: 'pull' },
  });
  expect(pulled.text).toContain('\none\n');
  expect(pulled.text).not.toContain('Saving cache');
  const pushed = await run(`${show}; ${make('two')}`, [{ ...deps, policy: 'push' }]);
  expect(pushed.text).toContain('\nnothing\n');
  expect(pushed.text).not.toContain('Checking cache');
  expect((await run(show, [deps])).text).toContain('\ntwo\n');
});

test('when: after success, failure, or either', async () => {
  const caches = ['on_success', 'on_failure', 'always'].map((when) => ({ ...deps, key: when, when }));
  const failed = await run(`${make('failed')}; exit 1`, caches);
  expect(failed.text).toMatch(/section_start:\d+:archive_cache_on_failure\r[^]*Saving cache for failed job/);
  const found: string[] = [];
  for (const cache of caches) {
    const text = (await run(show, [{ ...cache, policy: 'pull' }])).text;
    if (text.includes('\nfailed\n')) found.push(cache.key);
  }
  expect(found).toEqual(['on_failure', 'always']);
});

test('untracked files can be cached', async () => {
  await run('git init --quiet; touch new', [{ ...deps, paths: [], untracked: true }]);
  expect((await run('ls', [{ ...deps, untracked: true }])).text).toContain('\nnew\n');
});

test('a damaged cache is told, and no failure of the job', async () => {
  await run(make('one'), [deps]);
  const [name] = await readdir(join(root, 'cache', 'k3Zp0Yt7Q', 'project-12'));
  await writeFile(join(root, 'cache', 'k3Zp0Yt7Q', 'project-12', name!), 'no zip');
  const job = await run('echo went on', [deps], { values: { RESTORE_CACHE_ATTEMPTS: '2' } });
  expect(job.text.match(/Failed to extract cache/g)).toHaveLength(2);
  expect(job.text).toContain('\nwent on\n');
  expect(job.final).toMatchObject({ state: 'success' });
});

test('jobs at once write the same key, and every one reads a whole archive', async () => {
  await runner.stop(0);
  runner = startRunner({ concurrency: 4 });
  await run(make('0'), [deps]);
  const fill =
    'for i in $(seq 200); do echo "$CI_JOB_ID" > deps/$i; done; cat deps/* | sort -u | wc -l | sed "s/^/kinds /"';
  const jobs = await Promise.all(
    Array.from({ length: 8 }, (_, id) =>
      run(`mkdir -p deps; rm -f deps/link; ${fill}`, [deps], { values: { CI_JOB_ID: `${id}` } }),
    ),
  );
  for (const job of jobs) {
    expect(job.final).toMatchObject({ state: 'success' });
    expect(job.text).toContain('Successfully extracted cache');
  }
  const last = await run('for i in $(seq 200); do cat deps/$i; done | sort -u | wc -l | sed "s/^/kinds /"', [
    { ...deps, policy: 'pull' },
  ]);
  expect(last.text).toContain('\nkinds 1\n');
  const kept = await readdir(join(root, 'cache', 'k3Zp0Yt7Q', 'project-12'));
  expect(kept.filter((name) => name.endsWith('.draft'))).toEqual([]);
});

test('past the limit the longest unused caches go; one larger than all is not kept', async () => {
  const directory = join(root, 'store');
  const store = new CacheStore(directory, 250);
  const keep = (key: string, bytes: number) =>
    store.keep(store.locate('p', key), Readable.from([Buffer.alloc(bytes)]), new AbortController().signal);
  const isKept = async (key: string) =>
    stat(store.locate('p', key)).then(
      () => true,
      () => false,
    );
  await keep('a', 100);
  await keep('b', 100);
  for (const [key, seconds] of [
    ['a', 1000],
    ['b', 2000],
  ] as const)
    await utimes(store.locate('p', key), seconds, seconds);
  expect(await store.touch(store.locate('p', 'a'))).toBe(true);
  await keep('c', 100);
  expect([await isKept('a'), await isKept('b'), await isKept('c')]).toEqual([true, false, true]);
  await expect(keep('d', 300)).rejects.toThrow('it has 300 bytes, and all caches together may have 250');
  expect((await readdir(join(directory, 'p'))).sort()).toHaveLength(2);
  // What a killed runner was writing goes as well.
  await promisify(execFile)('touch', ['-d', '2 days ago', join(directory, 'p', 'x.draft')]);
  await keep('e', 10);
  expect(await readdir(join(directory, 'p'))).not.toContain('x.draft');
});
