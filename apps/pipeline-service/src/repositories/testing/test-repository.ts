import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A directory of its own for one test file, with its symbolic links resolved; the caller removes it. */
export async function temporaryDirectory(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `flagfall-${name}-`)));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A real repository with a working tree, written by the git command as a user would. */
export class TestRepository {
  private constructor(readonly path: string) {}

  static at(path: string): TestRepository {
    return new TestRepository(path);
  }

  static async create(path: string, ...options: string[]): Promise<TestRepository> {
    await run('git', ['init', '--quiet', '--initial-branch=main', ...options, path]);
    const repository = new TestRepository(path);
    await repository.git('config', 'user.name', 'Ada Author');
    await repository.git('config', 'user.email', 'ada@example.com');
    await repository.git('config', 'commit.gpgSign', 'false');
    return repository;
  }

  /** Gives what git printed, without the last line break. */
  async git(...args: string[]): Promise<string> {
    const { stdout } = await run('git', ['-C', this.path, ...args], { maxBuffer: 64 * 1_048_576 });
    return stdout.replace(/\n$/, '');
  }

  /** Commits these files on the current branch and gives the commit's id. */
  async commit(files: Record<string, string | Buffer>, message = 'Change'): Promise<string> {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.path, name)), { recursive: true });
      await writeFile(join(this.path, name), content);
    }
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--allow-empty', '--message', message);
    return this.git('rev-parse', 'HEAD');
  }
}
