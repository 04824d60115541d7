import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.js';

const shell = `<!doctype html><title>Flagfall</title>${'<!-- long enough to be worth compressing -->'.repeat(40)}`;
const script = `console.log(${'1+'.repeat(1_000)}1);`;

let directory: string;
let gateway: TestGateway;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pages-'));
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), shell);
  await writeFile(join(directory, 'assets/main-B1a2.js'), script);
  await writeFile(join(directory, 'icons.svg'), '<svg/>');
  gateway = await startTestGateway([], 'debug', { pagesDirectory: directory });
});
afterAll(async () => {
  await gateway.close();
  await rm(directory, { recursive: true });
});

/** As it was sent: `fetch` would decompress it, and add headers. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    request(`${gateway.url}${path}`, { method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

const browser = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

it.each(['/', '/?page=2', '/demo/app/-/pipelines/7', '/demo/app', '/projects/new', '/-nothing', '/index.html'])(
  'a browser gets the shell at %s',
  async (path) => {
    const { status, headers, body } = await ask(path, browser);
    expect([status, body.toString()]).toEqual([200, shell]);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(shell.length),
      'cache-control': 'no-cache',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      vary: 'Accept-Encoding',
      etag: expect.stringMatching(/^W\/"[\w-]{22}"$/),
    });
  },
);

it.each([
  ['/api/v4/nothing', 404],
  ['/api', 404],
  ['/api/v3/projects', 410],
  ['/api/v4/version', 401],
  ['/-/nothing', 404],
  ['/-/liveness', 200],
  ['/demo/app.git/HEAD', 404],
  ['/assets/main-gone.js', 404],
  ['/%zz', 400],
])('%s keeps its answer of %d, for browsers too', async (path, status) => {
  const answer = await ask(path, browser);
  expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json']);
});

it.each([
  ['/demo/app', { Accept: '*/*' }, 'GET', 404],
  ['/demo/app', {}, 'GET', 404],
  ['/demo/app', browser, 'POST', 404],
  ['/', browser, 'DELETE', 405],
])(
  'who is no browser, or wants to change something, gets what the API says: %s %j %s',
  async (path, headers, method, status) => {
    const answer = await ask(path, headers, method);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json']);
  },
);

it('/ tells tools how to begin', async () => {
  expect((await ask('/', { Accept: '*/*' })).body.toString()).toContain('/api/v4/projects/PROJECT_ID/trigger/pipeline');
});

it('files with a hash in their name are kept for good, others are asked for again', async () => {
  const { status, headers, body } = await ask('/assets/main-B1a2.js?v=1');
  expect([status, body.toString()]).toEqual([200, script]);
  expect(headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
  });
  const icons = await ask('/icons.svg', { 'Accept-Encoding': 'br' });
  expect(icons.body.toString()).toBe('<svg/>');
  expect(icons.headers).toMatchObject({ 'content-type': 'image/svg+xml', 'cache-control': 'no-cache' });
});

it('a long row of blanks in a header takes no time', async () => {
  const began = performance.now();
  const blanks = ' '.repeat(30_000);
  for (let calls = 0; calls < 20; calls += 1)
    await ask('/assets/main-B1a2.js', { 'Accept-Encoding': `gzip${blanks}x` });
  expect(performance.now() - began).toBeLessThan(4_000);
});

it.each([
  ['gzip, deflate, br', 'br', (content: Buffer) => brotliDecompressSync(content)],
  ['gzip', 'gzip', (content: Buffer) => gunzipSync(content)],
  ['br;q=0, gzip;q=0.5', 'gzip', (content: Buffer) => gunzipSync(content)],
  ['identity', undefined, (content: Buffer) => content],
])('Accept-Encoding: %s', async (accepted, encoding, decode) => {
  for (let time = 0; time < 2; time++) {
    const { headers, body } = await ask('/assets/main-B1a2.js', { 'Accept-Encoding': accepted });
    expect(headers['content-encoding']).toBe(encoding);
    expect(decode(body).toString()).toBe(script);
  }
});

it('HEAD has the headers alone', async () => {
  const answer = await ask('/demo/app', browser, 'HEAD');
  expect([answer.status, answer.body.length, answer.headers['content-length']]).toEqual([200, 0, String(shell.length)]);
});

it('what a browser has already is not sent again', async () => {
  const { headers } = await ask('/demo/app', browser);
  const again = await ask('/demo/app', { ...browser, 'If-None-Match': `"other", ${String(headers.etag)}` });
  expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, headers.etag]);
  expect((await ask('/demo/app', { ...browser, 'If-None-Match': '"other"' })).status).toBe(200);
});

it('paths do not leave the directory', async () => {
  await writeFile(join(directory, '..', 'pages-secret.txt'), 'secret');
  for (const path of [
    '/../pages-secret.txt',
    '/assets/../../pages-secret.txt',
    '/assets/%2e%2e%2f%2e%2e%2fpages-secret.txt',
  ])
    expect((await ask(path)).status).toBe(404);
  await rm(join(directory, '..', 'pages-secret.txt'));
});
