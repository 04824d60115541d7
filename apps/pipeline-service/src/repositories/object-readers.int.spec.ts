import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Git } from './git-command.js';
import { ObjectReaders } from './object-readers.js';
import { temporaryDirectory, TestRepository } from './testing/test-repository.js';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
const opened: ObjectReaders[] = [];

beforeAll(async () => {
  directory = await temporaryDirectory('readers');
});

afterAll(async () => {
  await Promise.all(opened.map((readers) => readers.close()));
  await directory.remove();
});

function open(options: { limit: number; limitMs: number }): ObjectReaders {
  const cacheDir = join(directory.path, 'cache');
  const readers = new ObjectReaders(new Git(join(cacheDir, 'home')), { ...options, cacheDir });
  opened.push(readers);
  return readers;
}

async function newRepository(name: string) {
  const repository = await TestRepository.create(join(directory.path, name));
  return { path: repository.path, sha: await repository.commit({ a: name.repeat(100_000) }) };
}

/** Processes of `git cat-file` that read this repository, or any. */
async function readersOf(path = directory.path): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => ({ pid, line: await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '') })),
  );
  return lines
    .filter(({ line }) => line.includes(`--git-dir=${path}`) && line.includes('cat-file'))
    .map(({ pid }) => Number(pid));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

it('answers many names in their order, with content of any size', async () => {
  const readers = open({ limit: 4, limitMs: 60_000 });
  const { path, sha } = await newRepository('order');
  const names = ['refs/heads/main', 'refs/heads/none', `${sha}:a`, `${sha}:no such`, sha];
  const rounds = await Promise.all(
    Array.from({ length: 50 }, (_, index) => readers.ask(path, index % 2 ? 'facts' : 'contents', names)),
  );
  for (const answers of rounds) {
    expect(answers.map((answer) => answer?.type)).toEqual(['commit', undefined, 'blob', undefined, 'commit']);
    expect(answers[2]!.size).toBe(500_000);
  }
  expect(rounds[0]![2]!.content!.equals(Buffer.from('order'.repeat(100_000)))).toBe(true);
  expect(rounds[1]![2]).not.toHaveProperty('content');
});

it('replaces a process that died, without anybody noticing', async () => {
  const readers = open({ limit: 4, limitMs: 60_000 });
  const { path, sha } = await newRepository('dead');
  await readers.ask(path, 'facts', [sha]);
  const [pid] = await readersOf(path);
  const asked = Array.from({ length: 20 }, () => readers.ask(path, 'facts', [sha]));
  process.kill(pid!, 'SIGKILL');
  for (const [answer] of await Promise.all(asked)) expect(answer).toMatchObject({ sha });
  expect(await readers.ask(path, 'facts', [sha])).toMatchObject([{ sha }]);
  expect(await readersOf(path)).not.toContain(pid);
});

it('gives up on a stuck process in time, kills it and asks another', async () => {
  const readers = open({ limit: 4, limitMs: 3_000 });
  const { path, sha } = await newRepository('stuck');
  await readers.ask(path, 'facts', [sha]);
  const [pid] = await readersOf(path);
  process.kill(pid!, 'SIGSTOP');
  await expect(readers.ask(path, 'facts', [sha])).rejects.toMatchObject({
    transient: true,
    reason: 'no answer within 3 s',
  });
  expect(await readers.ask(path, 'facts', [sha])).toMatchObject([{ sha }]);
  await until(async () => !(await readersOf(path)).includes(pid!));
});

it('keeps a limited number of processes, those used last, and none after closing', async () => {
  const readers = open({ limit: 3, limitMs: 60_000 });
  const made = await Promise.all(['l1', 'l2', 'l3', 'l4', 'l5'].map(newRepository));
  const before = await readersOf();
  for (const { path, sha } of made) expect(await readers.ask(path, 'facts', [sha])).toMatchObject([{ sha }]);
  await until(async () => (await readersOf()).length === before.length + 3);
  expect(await readersOf(made[0]!.path)).toEqual([]);
  expect(await readersOf(made[4]!.path)).toHaveLength(1);
  // More than the limit at once: all are answered.
  const answers = await Promise.all(
    made.flatMap(({ path, sha }) => [readers.ask(path, 'facts', [sha]), readers.ask(path, 'contents', [sha])]),
  );
  expect(answers.flat().map((answer) => answer?.sha)).toEqual(made.flatMap(({ sha }) => [sha, sha]));
  await readers.close();
  await until(async () => (await readersOf()).length === before.length);
  await expect(readers.ask(made[0]!.path, 'facts', ['x'])).rejects.toMatchObject({ transient: true });
});
