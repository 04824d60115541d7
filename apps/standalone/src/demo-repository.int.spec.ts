import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDemoRepository } from './demo-repository.js';

describe('the demo repository', () => {
  let home: string;
  let directory: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'demo-'));
    directory = join(home, 'demo');
  });
  afterEach(() => rmSync(home, { recursive: true }));
  const git = (...args: string[]) => execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' }).trim();

  it('has one commit on main, by nobody of this machine', async () => {
    // What a user's own settings must not reach.
    const before = { ...process.env };
    Object.assign(process.env, {
      GIT_DIR: join(home, 'elsewhere'),
      GIT_AUTHOR_NAME: 'Somebody',
      EMAIL: 'somebody@example.com',
    });
    try {
      await makeDemoRepository(directory);
    } finally {
      process.env = before;
    }
    expect(git('log', '--all', '--format=%D|%an <%ae>|%cn <%ce>')).toBe(
      'HEAD -> main|Flagfall demo <demo@flagfall.invalid>|Flagfall demo <demo@flagfall.invalid>',
    );
    expect(git('status', '--porcelain')).toBe('');
  });

  it('brings the script that its jobs call, executable', async () => {
    await makeDemoRepository(directory);
    const run = (target: string) => execFileSync('./make', [target], { cwd: directory, encoding: 'utf8' });
    expect(run('test')).toContain('1 test passed');
    expect(run('build')).toContain('hello.tar');
    expect(run('upload')).toContain('S3');
    expect(git('ls-files', '-s', 'make')).toMatch(/^100755 /);
    expect(() => execFileSync('./make', ['nonsense'], { cwd: directory, stdio: 'pipe' })).toThrow('Usage');
  });

  it('leaves what is there as it is', async () => {
    await makeDemoRepository(directory);
    writeFileSync(join(directory, 'hello.sh'), 'changed');
    await makeDemoRepository(directory);
    expect(git('status', '--porcelain')).toBe('M hello.sh');
  });
});
