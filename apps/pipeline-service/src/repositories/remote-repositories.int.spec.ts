import { execFile } from 'node:child_process';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { inspect, promisify } from 'node:util';
import { serveUploadPack } from './clone-server.js';
import type { RepositoriesOptions } from './repositories.js';
import { Repositories } from './repositories.js';
import { CommitNotFound, RefAmbiguous, RefNotFound } from './repository-errors.js';
import { certificates } from './testing/certificates.js';
import { GitHttpServer, requireBasicAuth, type Behaviour } from './testing/git-http-server.js';
import { temporaryDirectory, TestRepository } from './testing/test-repository.js';

const run = promisify(execFile);
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: GitHttpServer;
let repositories: Repositories;
const opened: Repositories[] = [];
let serial = 0;

function open(options: Partial<RepositoriesOptions> = {}): Repositories {
  const made = new Repositories({
    cacheDir: join(directory.path, 'cache'),
    schemes: ['http', 'https', 'ssh'],
    privateHosts: [],
    loopback: true,
    gitTimeoutMs: 60_000,
    ...options,
  });
  opened.push(made);
  return made;
}

beforeAll(async () => {
  directory = await temporaryDirectory('remote');
  server = await GitHttpServer.start();
  repositories = open();
});

afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await server.close();
  await directory.remove();
});

async function newRepository(behave?: Behaviour) {
  const projectId = (serial += 1);
  const repository = await TestRepository.create(join(directory.path, `r${projectId}`));
  const first = await repository.commit({ '.gitlab-ci.yml': 'one' }, 'First');
  const url = server.place(`r${projectId}`, join(repository.path, '.git'), behave);
  return { repository, first, address: { projectId, url } };
}

/** Command lines and environments of all processes that mention this text in their command line. */
async function processesWith(text: string): Promise<{ commandLine: string; environment: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const all = await Promise.all(
    pids.map(async (pid) => ({ commandLine: await read(pid, 'cmdline'), environment: await read(pid, 'environ') })),
  );
  return all.filter(({ commandLine }) => commandLine.includes(text));
}

describe('a remote repository', () => {
  it('is read as it is at each question', async () => {
    const { repository, first, address } = await newRepository();
    await repository.git('tag', '--annotate', '--message', 'One', 'v1');
    expect(await repositories.resolve(address, 'main')).toMatchObject({ ref: 'main', type: 'branch', sha: first });
    expect(await repositories.resolve(address, 'v1')).toMatchObject({ type: 'tag', sha: first, tagMessage: 'One' });
    expect(await repositories.defaultBranch(address)).toBe('main');

    const second = await repository.commit({ '.gitlab-ci.yml': 'two', 'd/e': '' });
    await repository.git('branch', 'v1');
    expect((await repositories.resolve(address, 'main')).sha).toBe(second);
    await expect(repositories.resolve(address, 'v1')).rejects.toThrow(RefAmbiguous);
    expect(await repositories.readFile(address, first, '.gitlab-ci.yml')).toMatchObject({ text: 'one' });
    expect(await repositories.readFile(address, second, '.gitlab-ci.yml')).toMatchObject({ text: 'two' });
    expect(await repositories.listFiles(address, second)).toEqual(['.gitlab-ci.yml', 'd/e']);

    // Deleted, replaced by one below it, and force-pushed.
    await repository.git('tag', '--delete', 'v1');
    await repository.git('branch', '-D', 'v1');
    await repository.git('branch', 'v1/below');
    await expect(repositories.resolve(address, 'v1')).rejects.toThrow(RefNotFound);
    expect((await repositories.resolve(address, 'v1/below')).sha).toBe(second);
    await repository.git('reset', '--hard', '--quiet', first);
    const third = await repository.commit({ '.gitlab-ci.yml': 'three' });
    expect((await repositories.resolve(address, 'main')).sha).toBe(third);
  });

  it('keeps pinned commits, and no answers of its own when the server is away', async () => {
    let away = false;
    const { repository, first, address } = await newRepository((_request, response) => {
      if (away) response.writeHead(503).end();
      return away;
    });
    await repository.git('checkout', '--quiet', '-b', 'topic');
    const second = await repository.commit({ a: '2' });
    await repositories.resolve(address, 'topic');
    await Promise.all([
      repositories.pin(address, second, 1),
      repositories.pin(address, second, 2),
      repositories.pin(address, first, 3),
      repositories.pin(address, second, 1),
    ]);
    await repository.git('checkout', '--quiet', 'main');
    await repository.git('branch', '-D', 'topic');
    await expect(repositories.resolve(address, 'topic')).rejects.toThrow(RefNotFound);
    const pins = await run('git', [
      '-C',
      repositories.mirrorPath(address.projectId),
      'for-each-ref',
      '--format=%(refname) %(objectname)',
      'refs/pipelines',
    ]);
    expect(pins.stdout.trim().split('\n')).toEqual([
      `refs/pipelines/1 ${second}`,
      `refs/pipelines/2 ${second}`,
      `refs/pipelines/3 ${first}`,
    ]);

    away = true;
    await expect(repositories.resolve(address, 'main')).rejects.toMatchObject({
      transient: true,
      reason: 'the server reports an internal error',
    });
    expect(await repositories.readFile(address, second, 'a')).toMatchObject({ text: '2' });
    await repositories.pin(address, second, 4);
  });

  it('is fetched for a commit that another process resolved, or after the cache was lost', async () => {
    const { repository, first, address } = await newRepository();
    expect(await repositories.readFile(address, first, '.gitlab-ci.yml')).toMatchObject({ text: 'one' });
    const second = await repository.commit({ a: '2' });
    await repositories.pin(address, second, 1);
    await expect(repositories.pin(address, '1'.repeat(40), 2)).rejects.toThrow(CommitNotFound);
    await expect(repositories.readFile(address, '1'.repeat(40), 'a')).rejects.toThrow(CommitNotFound);
    await rm(repositories.mirrorPath(address.projectId), { recursive: true });
    await repositories.pin(address, second, 3);
    expect((await repositories.resolve(address, 'main')).sha).toBe(second);
    await repositories.forget(address.projectId);
    await expect(readdir(repositories.mirrorPath(address.projectId))).rejects.toThrow('ENOENT');
    expect(await repositories.listFiles(address, second)).toEqual(['.gitlab-ci.yml', 'a']);
  });

  it('may be fetched and pinned by two processes at once, and survives a lock that a killed one left', async () => {
    const { repository, first, address } = await newRepository();
    const other = open();
    for (let round = 1; round <= 4; round += 1) {
      const sha = await repository.commit({ a: String(round) });
      await repository.git('branch', `b${round}`);
      const both = [repositories, other].map(async (one, index) => {
        expect((await one.resolve(address, `b${round}`)).sha).toBe(sha);
        await one.pin(address, sha, round * 2 + index);
      });
      await Promise.all(both);
    }
    const lock = join(repositories.mirrorPath(address.projectId), 'refs/pipelines/99.lock');
    await writeFile(lock, '');
    await utimes(lock, 1, 1);
    await repositories.resolve(address, 'main');
    await repositories.pin(address, await repository.git('rev-parse', 'main'), 99);
    await repositories.pin(address, first, 100);
  });
});

describe('who asks at the same time', () => {
  it('shares a fetch, but never one that began before the question', async () => {
    let held: (() => void)[] | undefined = [];
    const { repository, first, address } = await newRepository((request, response) => {
      if (!held) return false;
      held.push(() => void serveUploadPack(join(directory.path, `r${address.projectId}`, '.git'), request, response));
      return true;
    });
    const begun = new Promise<void>((resolve) => {
      const push = held!.push.bind(held);
      held!.push = (...items) => (resolve(), push(...items));
    });
    const early = repositories.resolve(address, 'main');
    await begun;
    // The first fetch is under way. Those who ask now wait for the next one, whatever the first finds.
    const late = Array.from({ length: 30 }, () => repositories.resolve(address, 'main'));
    const before = server.requests.length;
    const release = held;
    held = undefined;
    for (const go of release) go();
    expect((await early).sha).toBe(first);
    await Promise.all(late);
    const infoRefs = server.requests
      .slice(before)
      .filter(({ url }) => url!.startsWith(`/r${address.projectId}/info/refs`));
    expect(infoRefs).toHaveLength(1);

    const second = await repository.commit({ a: '2' });
    const answers = await Promise.all(Array.from({ length: 10 }, () => repositories.resolve(address, 'main')));
    expect(new Set(answers.map(({ sha }) => sha))).toEqual(new Set([second]));
  });

  it('does not wait for other projects whose servers hang', async () => {
    const patient = open();
    const hanging = await Promise.all(Array.from({ length: 12 }, () => newRepository(() => true)));
    let ended = 0;
    const stuck = hanging.map(({ address }) =>
      patient.resolve(address, 'main').catch((error: unknown) => {
        ended += 1;
        return error;
      }),
    );
    const { first, address } = await newRepository();
    const started = performance.now();
    expect((await patient.resolve(address, 'main')).sha).toBe(first);
    const waited = performance.now() - started;
    expect(ended).toBe(0);
    process.stdout.write(`with 12 hanging servers another project waited ${Math.round(waited)} ms\n`);
    await patient.close();
    for (const error of await Promise.all(stuck)) expect(error).toMatchObject({ transient: true });
    for (const { address: stopped } of hanging) expect(await processesWith(`${stopped.url}\0`)).toEqual([]);
  });

  it('does not wait for a server that hangs for longer than its time', async () => {
    const impatient = open({ gitTimeoutMs: 300 });
    const { address } = await newRepository(() => true);
    await expect(impatient.resolve(address, 'main')).rejects.toMatchObject({
      transient: true,
      reason: 'no answer within 0.3 s',
    });
    expect(await processesWith(`${address.url}\0`)).toEqual([]);
  });
});

describe('credentials', () => {
  const credentials = { username: 'ada', password: 'p@ss:wörd $(x) "\'' };

  it('open a repository and stand in no command line, environment or file', async () => {
    const seen: { commandLine: string; environment: string }[] = [];
    const check = requireBasicAuth(credentials.username, credentials.password);
    const { repository, first, address } = await newRepository((request, response) => {
      void processesWith(address.url).then((processes) => {
        seen.push(...processes);
        if (!check(request, response)) void serveUploadPack(join(repository.path, '.git'), request, response);
      });
      return true;
    });
    expect((await repositories.resolve({ ...address, credentials }, 'main')).sha).toBe(first);
    expect(await repositories.defaultBranch({ ...address, credentials })).toBe('main');
    expect(seen.length).toBeGreaterThan(2);
    const encoded = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    for (const secret of [credentials.password, encodeURIComponent(credentials.password), encoded]) {
      expect(JSON.stringify(seen)).not.toContain(JSON.stringify(secret).slice(1, -1));
      const grep = run('grep', ['--recursive', '--fixed-strings', '--regexp', secret, join(directory.path, 'cache')]);
      await expect(grep).rejects.toMatchObject({ code: 1 });
    }
  });

  it('that are wrong or missing are refused at once, in words without them', async () => {
    const { address } = await newRepository(requireBasicAuth('ada', 'right'));
    for (const given of [credentials, undefined]) {
      const error: unknown = await repositories
        .resolve({ ...address, credentials: given }, 'main')
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ transient: false, reason: 'access was refused; check the credentials' });
      expect(inspect(error, { depth: 10 })).not.toContain('wörd');
    }
    const split = { username: 'ada', password: 'x\nurl=http://other' };
    await expect(repositories.resolve({ ...address, credentials: split }, 'main')).rejects.toMatchObject({
      transient: false,
    });
  });
});

describe('servers that do not answer as they should', () => {
  it.each([
    [404, false, 'there is no git repository at this address'],
    [403, false, 'access was refused; check the credentials'],
    [500, true, 'the server reports an internal error'],
    [502, true, 'the server reports an internal error'],
    [429, true, 'the server asks for fewer requests'],
  ])('%i', async (status, transient, reason) => {
    const { address } = await newRepository((_request, response) => {
      response.writeHead(status).end('remote: secret text of the server');
      return true;
    });
    await expect(repositories.resolve(address, 'main')).rejects.toMatchObject({ transient, reason });
    await expect(repositories.defaultBranch(address)).rejects.toMatchObject({ transient, reason });
  });

  describe('by TLS', () => {
    const { key, own, ofAnother, expired } = certificates;
    const withCertificate = (cert: string, more: TlsOptions = {}) => createTlsServer({ key, cert, ...more });

    it.each<[string, () => Server, string | undefined, boolean, RegExp]>([
      [
        'of a certificate that nobody knows',
        () => withCertificate(own),
        undefined,
        false,
        /no authority that is known/,
      ],
      ['of an expired certificate', () => withCertificate(expired), expired, false, /has expired/],
      ['of another name', () => withCertificate(ofAnother), ofAnother, false, /for another name/],
      ['that speak HTTP', () => createHttpServer((_, response) => response.end('secret')), own, false, /not speak TLS/],
      ['that hang up', () => createServer((socket) => socket.destroy()), own, true, /broke off/],
      [
        'that agree to nothing',
        () => withCertificate(own, { maxVersion: 'TLSv1.2', ciphers: 'PSK-AES128-CBC-SHA' }),
        own,
        false,
        /refuses the TLS connection/,
      ],
    ])('%s', async (_, create, trusted, transient, reason) => {
      const tls = create().on('tlsClientError', () => undefined);
      await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
      const url = `https://127.0.0.1:${(tls.address() as AddressInfo).port}/secret`;
      const file = join(directory.path, 'authorities.pem');
      if (trusted) {
        await writeFile(file, trusted);
        process.env.GIT_SSL_CAINFO = file;
      }
      try {
        const failure = await repositories.resolve({ projectId: (serial += 1), url }, 'main').catch((error) => error);
        expect(failure).toMatchObject({ transient, reason: expect.stringMatching(reason) });
        expect(failure.message).not.toMatch(/secret|authorities\.pem/);
      } finally {
        delete process.env.GIT_SSL_CAINFO;
        await new Promise((resolve) => tls.close(resolve));
      }
    });
  });

  it('redirects are not followed', async () => {
    const target = await newRepository();
    const { address } = await newRepository((request, response) => {
      const rest = request.url!.split('/').slice(2).join('/');
      response.writeHead(302, { Location: `${target.address.url}/${rest}` }).end();
      return true;
    });
    await expect(repositories.resolve(address, 'main')).rejects.toMatchObject({
      transient: false,
      reason: expect.stringContaining('redirects'),
    });
  });

  it('a closed port, a server that hangs up, a page that is no git', async () => {
    const closed = createServer((socket) => void socket.destroy());
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/x`;
    await expect(repositories.resolve({ projectId: 500, url }, 'main')).rejects.toMatchObject({ transient: true });
    await new Promise((resolve) => closed.close(resolve));
    await expect(repositories.resolve({ projectId: 500, url }, 'main')).rejects.toMatchObject({
      transient: true,
      reason: 'the server refuses connections',
    });
    // SSH goes to the approved address and nowhere else.
    await expect(
      repositories.resolve({ projectId: 500, url: `ssh://git@localhost:${port}/x` }, 'main'),
    ).rejects.toMatchObject({
      transient: true,
      reason: 'the server refuses connections',
    });
    const { address } = await newRepository((_request, response) => {
      response.end('<html>\n<title>Sign in</title>\n</html>\n');
      return true;
    });
    await expect(repositories.resolve(address, 'main')).rejects.toMatchObject({
      transient: false,
      reason: 'there is no git repository at this address',
    });
  });
});

describe('addresses', () => {
  it('by name are pinned to what was approved', async () => {
    const { repository, first, address } = await newRepository((request, response) => {
      void processesWith(`localhost:${server.port}/`).then((processes) => {
        for (const { commandLine } of processes) commandLines.push(commandLine);
        void serveUploadPack(join(repository.path, '.git'), request, response);
      });
      return true;
    });
    const commandLines: string[] = [];
    const url = address.url.replace('127.0.0.1', 'LOCALHOST.');
    expect((await repositories.resolve({ ...address, url }, 'main')).sha).toBe(first);
    expect(commandLines.some((line) => line.includes(`http.curloptResolve=localhost:${server.port}:127.0.0.1`))).toBe(
      true,
    );
  });

  it('that lead to this machine or a private network are refused', async () => {
    const strict = open({ loopback: false });
    const port = server.port;
    const { address } = await newRepository();
    const before = server.requests.length;
    const hosts = [
      '127.0.0.1',
      'localhost',
      'LOCALHOST.',
      '127.1',
      '2130706433',
      '0x7f.0.0.1',
      '0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
    ];
    const urls = [
      ...hosts,
      '10.0.0.1',
      '192.168.1.1',
      '172.16.0.1',
      '169.254.169.254',
      '[fd00::1]',
      '[fe80::1]',
      '[64:ff9b::7f00:1]',
    ].flatMap((host) => [`http://${host}:${port}/r${address.projectId}`, `ssh://git@${host}:${port}/x`]);
    for (const url of [...urls, `git@localhost:x`, `git@127.0.0.1:x`]) {
      const refused = {
        name: 'RepositoryUnreadable',
        transient: false,
        reason: expect.stringContaining('public address') as string,
      };
      await expect(strict.checkAddress(url)).rejects.toMatchObject(refused);
      await expect(strict.resolve({ ...address, url }, 'main')).rejects.toMatchObject(refused);
    }
    expect(server.requests.length).toBe(before);
    await expect(strict.checkAddress('https://no-such-host.invalid/x')).rejects.toMatchObject({ transient: true });
  });

  it('of other kinds, and such that git would take for something else, are refused', async () => {
    const { repository, address } = await newRepository();
    const mark = join(directory.path, 'mark');
    const urls = [
      `ext::sh -c "touch ${mark}"`,
      `--upload-pack=touch ${mark}`,
      `-u touch ${mark}`,
      repository.path,
      `file://${repository.path}`,
      `file://localhost${repository.path}`,
      'fd::17/foo',
      'git://127.0.0.1/x',
      'ftp://127.0.0.1/x',
      'ssh://-oProxyCommand=touch%20mark/x',
      `ssh://git@-oProxyCommand=x/x`,
      `-oProxyCommand=x@host:path`,
      'git@-oProxyCommand=x:path',
      'git@127.0.0.1:-x',
      'ssh://-x@127.0.0.1/x',
      `http://ada:secret@127.0.0.1:${server.port}/x`,
      `http://127.0.0.1:${server.port}/x?service=1`,
      `http::${address.url}`,
      'http://',
      'https://ho st/x',
      `${address.url}\n--upload-pack=x`,
      `\t${address.url}`,
      '../relative',
      'C:\\repo',
      '',
      'http://127.0.0.1/' + 'a'.repeat(100_000),
      '\0',
    ];
    for (const url of urls) {
      await expect(repositories.checkAddress(url)).rejects.toMatchObject({
        name: 'RepositoryUnreadable',
        transient: false,
      });
      const error: unknown = await repositories.resolve({ ...address, url }, 'main').catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'RepositoryUnreadable', transient: false });
      expect(String(error)).not.toContain('secret');
    }
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });

  it('that an operator lists are open', async () => {
    const listed = open({ loopback: false, privateHosts: ['127.0.0.1/32', 'git.internal'] });
    const { first, address } = await newRepository();
    expect((await listed.resolve(address, 'main')).sha).toBe(first);
  });
});

it('stops: what waits fails as transient, and no process stays', async () => {
  const stopping = open();
  const { address } = await newRepository(() => true);
  const reached = new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      if (!server.requests.some(({ url }) => url!.startsWith(`/r${address.projectId}/`))) return;
      clearInterval(watch);
      resolve();
    }, 10);
  });
  const waiting = stopping.resolve(address, 'main').catch((error: unknown) => error);
  await reached;
  await stopping.close();
  expect(await waiting).toMatchObject({ transient: true, reason: 'the service is stopping' });
  expect(await processesWith(address.url)).toEqual([]);
});
