import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fetchPack, refsOfCommit, type UploadPackCall } from './fetch-pack.js';
import { parseJob } from './job.payload.js';

let directory: string;
let origin: string;
let sha: string;
let copy: string;

const git = (at: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-C', at, ...args])
    .toString()
    .trim();

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'flagfall-pack-'));
  origin = join(directory, 'origin');
  execFileSync('git', ['init', '--quiet', '-b', 'main', origin]);
  for (const number of [1, 2, 3]) {
    writeFileSync(join(origin, 'file'), `${number}\n`);
    git(origin, 'add', '--all');
    git(origin, 'commit', '--quiet', '--message', `Commit ${number}`);
  }
  sha = git(origin, 'rev-parse', 'HEAD');
});

beforeEach(() => {
  copy = mkdtempSync(join(directory, 'copy-'));
  mkdirSync(join(copy, '.git/objects/pack'), { recursive: true });
  mkdirSync(join(copy, '.git/refs'));
  writeFileSync(join(copy, '.git/HEAD'), 'ref: refs/heads/main\n');
});

afterAll(() => rmSync(directory, { recursive: true }));

const job = (refspecs: string[], depth = 2) =>
  parseJob({
    id: 1,
    token: 'glcbt-x',
    git_info: { repo_url: 'http://127.0.0.1/a.git', sha, ref: 'main', refspecs, depth, repo_object_format: 'sha1' },
    steps: [],
  });
const usual = ['+refs/pipelines/7:refs/pipelines/7', '+refs/pipelines/7:refs/remotes/origin/main'];
const refs = ['refs/pipelines/7', 'refs/remotes/origin/main'];

/** Answered by git itself, in pieces of so many bytes. */
const asks =
  (pieceBytes: number): UploadPackCall =>
  async (body, receive) => {
    const options = { env: { ...process.env, GIT_PROTOCOL: 'version=2' } };
    const child = spawn('git', ['upload-pack', '--stateless-rpc', origin], options);
    child.stdin.end(body);
    const answer = Buffer.concat(await child.stdout.toArray());
    const pieces = Array.from({ length: Math.ceil(answer.length / pieceBytes) }, (_, piece) =>
      answer.subarray(piece * pieceBytes, (piece + 1) * pieceBytes),
    );
    await receive(Readable.from(pieces, { objectMode: false }));
    if (child.exitCode === null) await once(child, 'exit');
    return 200;
  };

it.each([1, 7, 65_536])('brings a commit with its history, answered in pieces of %i bytes', async (bytes) => {
  const pack = await fetchPack(join(copy, '.git'), job(usual), refs, asks(bytes));
  git(copy, 'index-pack', pack!);
  git(copy, 'checkout', '--quiet', '--detach', sha);
  expect(readFileSync(join(copy, 'file'), 'utf8')).toBe('3\n');
  expect(git(copy, 'log', '--format=%s')).toBe('Commit 3\nCommit 2');
  expect(git(copy, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(
    refs.map((ref) => `${ref} ${sha}`).join('\n'),
  );
  expect(git(copy, 'fsck', '--strict')).toBe('');
  // Later jobs fetch into it with git.
  git(copy, 'fetch', '--quiet', '--unshallow', origin, 'main');
  expect(git(copy, 'rev-list', '--count', 'FETCH_HEAD')).toBe('3');
});

const saying =
  (text: string, status = 200): UploadPackCall =>
  async (_body, receive) => {
    if (status === 200) await receive(Readable.from([Buffer.from(text, 'latin1')], { objectMode: false }));
    return status;
  };

it.each<[string, UploadPackCall]>([
  ['nothing', saying('')],
  ['a page', saying('<html>Please log in</html>')],
  ['an error in words of git', saying('0027ERR upload-pack: not our ref\n')],
  ['an error in the middle', saying('000dpackfile\n000d\x01PACKxxx0009\x03gone0000')],
  ['half a line', saying('000dpackfile\n0fff\x01PACK')],
  ['a refusal', saying('', 401)],
  ['silence', () => Promise.reject(new Error('no connection'))],
])('leaves it to git, and no file behind, where the answer is %s', async (_, call) => {
  expect(await fetchPack(join(copy, '.git'), job(usual), refs, call)).toBeUndefined();
  expect(readdirSync(join(copy, '.git/objects/pack'))).toEqual([]);
});

it.each<[string, string[], number, string[] | undefined]>([
  ['a branch', usual, 20, refs],
  [
    'one whose name has parts',
    ['+refs/pipelines/7:refs/remotes/origin/fix/a.b-1'],
    1,
    ['refs/remotes/origin/fix/a.b-1'],
  ],
  ['all history', usual, 0, undefined],
  ['GitLab’s own', ['+refs/pipelines/7:refs/pipelines/7', '+refs/heads/main:refs/remotes/origin/main'], 20, undefined],
  ['a way out', ['+refs/pipelines/7:refs/../config'], 20, undefined],
  ['a lock', ['+refs/pipelines/7:refs/remotes/origin/a.lock'], 20, undefined],
  ['no ref', ['+refs/pipelines/7:HEAD'], 20, undefined],
  ['none', [], 20, undefined],
])('knows what refs the refspecs of %s make', (_, refspecs, depth, expected) => {
  expect(refsOfCommit(job(refspecs, depth))).toEqual(expected);
});
