import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { serveUploadPack } from './clone-server.js';
import { temporaryDirectory, TestRepository } from './testing/test-repository.js';

const run = promisify(execFile);
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: Server;
let base: string;
let mirror: string;
let first: string;
let pinned: string;
/** Ends of answers, in the order of their requests. */
const answers: Promise<void>[] = [];
const limits = { idleMs: 60_000, totalMs: 60_000, requestBytes: 1_000_000 };

beforeAll(async () => {
  directory = await temporaryDirectory('clone');
  const repository = await TestRepository.create(join(directory.path, 'origin'));
  first = await repository.commit({ a: '1' });
  pinned = await repository.commit({ a: '2', big: randomBytes(24_000_000) });
  await repository.git('reset', '--hard', '--quiet', first);
  mirror = join(directory.path, '1.git');
  await run('git', ['clone', '--quiet', '--bare', repository.path, mirror]);
  await run('git', ['-C', mirror, 'fetch', '--quiet', repository.path, `${pinned}:refs/pipelines/7`]);
  server = createServer((request, response) => {
    const path = request.url?.startsWith('/none') ? join(directory.path, 'none.git') : mirror;
    answers.push(serveUploadPack(path, request, response, limits));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await directory.remove();
});

const git = async (...args: string[]) => {
  const { stdout } = await run('git', args, {
    env: { PATH: process.env['PATH'], GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null' },
  });
  return stdout;
};

describe.each([0, 1, 2])('git protocol version %i', (version) => {
  const client = (...args: string[]) => git('-c', `protocol.version=${version}`, ...args);

  it('clones, fetches a pinned commit by its id, and finds what is new', async () => {
    const clone = join(directory.path, `clone-v${version}`);
    await client('clone', '--quiet', `${base}/team/app.git`, clone);
    expect((await git('-C', clone, 'rev-parse', 'HEAD')).trim()).toBe(first);
    await client('-C', clone, 'fetch', '--quiet', '--depth=1', 'origin', `+${pinned}:refs/pipelines/7`);
    expect((await git('-C', clone, 'rev-parse', 'refs/pipelines/7')).trim()).toBe(pinned);
    await client('-C', clone, 'fetch', '--quiet', '--unshallow', 'origin');
  });

  it('shows pins only to those who ask for one', async () => {
    expect(await client('ls-remote', `${base}/app.git`, 'refs/heads/*')).toBe(`${first}\trefs/heads/main\n`);
    const pins = await client('ls-remote', `${base}/app.git`, 'refs/pipelines/*');
    expect(pins).toBe(version === 2 ? `${pinned}\trefs/pipelines/7\n` : '');
  });
});

describe('other requests', () => {
  const post = (path: string, headers: Record<string, string>, body: Uint8Array<ArrayBuffer> | string) =>
    fetch(`${base}${path}`, { method: 'POST', headers, body });
  const upload = { 'Content-Type': 'application/x-git-upload-pack-request' };

  it.each([
    ['GET', '/app.git/info/refs?service=git-receive-pack', 403],
    ['POST', '/app.git/git-receive-pack', 403],
    ['GET', '/app.git/info/refs', 403],
    ['GET', '/app.git/info/refs?service=git-upload-archive', 404],
    ['GET', '/app.git/HEAD', 404],
    ['GET', '/app.git/objects/info/packs', 404],
    ['POST', '/app.git/info/refs?service=git-upload-pack', 405],
    ['GET', '/app.git/git-upload-pack', 405],
    ['POST', '/app.git/git-upload-pack', 415],
    ['GET', '/none.git/info/refs?service=git-upload-pack', 500],
  ])('%s %s is answered with %i', async (method, path, status) => {
    const response = await fetch(base + path, { method });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(directory.path);
  });

  it('refuses pushes in words that git shows', async () => {
    await expect(git('-C', mirror, 'push', `${base}/app.git`, `${first}:refs/heads/new`)).rejects.toThrow(/403/);
  });

  it('refuses a Git-Protocol header that is none', async () => {
    const headers = { 'Git-Protocol': 'version=2; touch x' };
    expect((await fetch(`${base}/app.git/info/refs?service=git-upload-pack`, { headers })).status).toBe(400);
  });

  it('reads gzip, and neither bombs nor broken gzip', async () => {
    const wants = `0032want ${first}\n00000009done\n`;
    const gzip = { ...upload, 'Content-Encoding': 'gzip' };
    const plain = await (await post('/app.git/git-upload-pack', upload, wants)).text();
    expect(plain).toContain('PACK');
    expect(await (await post('/app.git/git-upload-pack', gzip, Uint8Array.from(gzipSync(wants)))).text()).toBe(plain);
    expect((await post('/app.git/git-upload-pack', gzip, 'no gzip at all')).status).toBe(400);
    const bomb = gzipSync(wants.slice(0, -9) + `0032have ${'1'.repeat(40)}\n`.repeat(40_000));
    expect((await post('/app.git/git-upload-pack', gzip, Uint8Array.from(bomb))).status).toBe(413);
  });
});

it('ends git when the client goes away in the middle of a pack, and sends no faster than it reads', async () => {
  const body = `0032want ${pinned}\n00000009done\n`;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(
    `POST /slow.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-git-upload-pack-request\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, 'readable');
  // Read no more: with 24 MB to send, git must still be there and waiting.
  const before = answers.at(-1)!;
  let over = false;
  void before.then(() => (over = true));
  const children = await childrenServing(mirror);
  expect(children.length).toBeGreaterThan(0);
  expect(over).toBe(false);
  socket.destroy();
  await before;
  expect(await childrenServing(mirror)).toEqual([]);
});

it('ends a request that does not move', async () => {
  const idle = createServer(
    (request, response) => void serveUploadPack(mirror, request, response, { ...limits, idleMs: 100 }),
  );
  await new Promise<void>((resolve) => idle.listen(0, '127.0.0.1', resolve));
  const request = httpRequest({
    port: (idle.address() as AddressInfo).port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/app.git/git-upload-pack',
    headers: { 'Content-Type': 'application/x-git-upload-pack-request', 'Content-Length': 1000 },
  });
  request.on('error', () => undefined);
  request.write('0032want');
  const [response] = (await once(request, 'response')) as [{ statusCode: number }];
  expect(response.statusCode).toBe(500);
  request.destroy();
  idle.closeAllConnections();
  await new Promise((resolve) => idle.close(resolve));
});

/** Processes of git whose command line names this repository. */
async function childrenServing(path: string): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')));
  return lines.filter((line) => line.includes(path) && line.includes('upload-pack'));
}
