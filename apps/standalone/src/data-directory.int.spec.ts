import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataDirectory, DirectoryTaken } from './data-directory.js';

// Another process that takes a directory, says what came of it, and keeps it until its standard input ends.
const built = new URL('../../../dist/apps/standalone/src/data-directory.js', import.meta.url).href;
const program = `
  const { DataDirectory } = await import(${JSON.stringify(built)});
  try { DataDirectory.take(process.argv[1]); console.log('taken'); } catch (error) { console.log(error.message); process.exit(1); }
  process.stdin.resume();`;

function another(directory: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return { child, said: once(child.stdout, 'data').then(([text]) => String(text).trim()) };
}

describe('DataDirectory', () => {
  let parent: string;
  let directory: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'directory-'));
    directory = join(parent, 'deep', 'data');
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  it('makes it for its user alone', () => {
    DataDirectory.take(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('refuses a second one, naming directory, process and what to do', async () => {
    const first = DataDirectory.take(directory);
    expect(() => DataDirectory.take(directory)).toThrow(DirectoryTaken);
    const { child, said } = another(directory);
    expect(await said).toBe(
      `The data directory ${directory} is in use by another Flagfall (process ${process.pid}). Stop that one first, or set DATA_DIR (and PORT) to start a second one beside it.`,
    );
    child.kill();
    first.release();
    DataDirectory.take(directory).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('takes over from a process that was killed', async () => {
    const { child, said } = another(directory);
    expect(await said).toBe('taken');
    expect(() => DataDirectory.take(directory)).toThrow(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    DataDirectory.take(directory);
    expect(readdirSync(directory)).toEqual(['lock']);
  });

  it('takes over when the number now belongs to another process, and when the lock is not readable', () => {
    const held = DataDirectory.take(directory);
    const lock = join(directory, 'lock');
    writeFileSync(lock, JSON.stringify({ pid: process.pid, startedAt: 'another time' }));
    const next = DataDirectory.take(directory);
    held.release();
    expect(() => DataDirectory.take(directory)).toThrow(DirectoryTaken);
    next.release();
    for (const broken of ['', '{', 'null', '{"pid":"x"}']) {
      writeFileSync(lock, broken);
      DataDirectory.take(directory).release();
    }
  });

  it('lets exactly one of many have it, over a stale lock too', async () => {
    DataDirectory.take(directory).release();
    writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: 'x' }));
    const starts = Array.from({ length: 5 }, () => another(directory));
    const said = await Promise.all(starts.map((start) => start.said));
    expect(said.filter((text) => text === 'taken')).toHaveLength(1);
    for (const { child } of starts) child.kill('SIGKILL');
  });

  it('says what to do when it cannot be written', () => {
    writeFileSync(join(parent, 'file'), '');
    expect(() => DataDirectory.take(join(parent, 'file', 'data'))).toThrow(
      /^The data directory .* cannot be used: .*set DATA_DIR to another directory\.$/,
    );
  });

  it('makes a secret once, readable by its user alone', () => {
    const data = DataDirectory.take(directory);
    expect(data.readSecret('root-token')).toBeUndefined();
    expect(data.secret('root-token', () => 'first')).toBe('first');
    expect(data.secret('root-token', () => 'second')).toBe('first');
    data.writeSecret('root-token', 'third');
    expect(data.readSecret('root-token')).toBe('third');
    expect(readFileSync(join(directory, 'root-token'), 'utf8')).toBe('third\n');
    expect(statSync(join(directory, 'root-token')).mode & 0o777).toBe(0o600);
  });
});
