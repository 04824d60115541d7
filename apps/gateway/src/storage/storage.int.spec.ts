import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { ZipFile } from 'yazl';
import { openArchiveEntry } from '../artifacts/archive-entry.js';
import { ArtifactFiles } from './artifact-files.js';
import { JobLogs } from './job-logs.js';
import { NotStored, type Storage } from './storage.js';
import { liveLogsIn, openStorage } from './storage-url.js';
import { type S3Server, s3Credentials, startS3Server } from './testing/s3-server.js';

let server: S3Server;
let directory: string;
/** Of jobs: each test has its own. */
let job = 1_000;

beforeAll(async () => {
  Object.assign(process.env, s3Credentials);
  directory = await mkdtemp(join(tmpdir(), 'flagfall-storage-'));
  server = await startS3Server();
});

afterAll(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const mebibyte = 1_048_576;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.each(['a directory', 'a bucket'])('%s', (place) => {
  let storage: Storage;
  let logs: JobLogs;

  beforeAll(async () => {
    storage = await openStorage(place === 'a directory' ? directory : server.url);
    logs = new JobLogs(liveLogsIn(storage), storage);
  });

  beforeEach(() => (job += 1));

  async function keys(prefix: string): Promise<string[]> {
    const found = [];
    for await (const key of storage.list(prefix)) found.push(key);
    return found.sort();
  }

  describe('objects', () => {
    it('are there whole, in part, in lists, and gone', async () => {
      await storage.write('some/a', Readable.from([Buffer.from('hello '), Buffer.from('world')]));
      await storage.write('some/deep/b', Readable.from([]));
      expect(await text(await storage.read('some/a'))).toBe('hello world');
      expect(await text(await storage.read('some/a', 6))).toBe('world');
      expect(await text(await storage.read('some/a', 4, 6))).toBe('o w');
      expect([await storage.size('some/a'), await storage.size('some/deep/b')]).toEqual([11, 0]);
      expect(await keys('some/')).toEqual(['some/a', 'some/deep/b']);
      await storage.write('some/a', Readable.from([Buffer.from('again')]));
      expect(await text(await storage.read('some/a'))).toBe('again');
      for (const key of await keys('some/')) await storage.delete(key);
      await storage.delete('some/a');
      expect([await keys('some/'), await keys('none/')]).toEqual([[], []]);
      expect(await storage.size('some/a')).toBeNull();
      await expect(storage.read('some/a')).rejects.toThrow(NotStored);
    });

    it('are told by when they were stored', async () => {
      await storage.write('aged/a', Readable.from(['a']));
      const before = async (time: number) => {
        const found = [];
        for await (const key of storage.storedBefore('aged/', new Date(time))) found.push(key);
        return found;
      };
      expect(await before(Date.now() + 60_000)).toEqual(['aged/a']);
      expect(await before(Date.now() - 60_000)).toEqual([]);
    });

    it('are stored in pieces, however large', async () => {
      const bytes = randomBytes(20 * mebibyte);
      const pieces = Array.from({ length: 20 }, (_, index) => bytes.subarray(index * mebibyte, (index + 1) * mebibyte));
      await storage.write('large/one', Readable.from(pieces));
      expect(await storage.size('large/one')).toBe(bytes.length);
      expect(sha256(await buffer(await storage.read('large/one')))).toBe(sha256(bytes));
    });

    it.each([0, 10])('that end early after %s MiB are not there, and say why', async (size) => {
      async function* broken(): AsyncIterable<Buffer> {
        for (let piece = 0; piece < size; piece += 1) yield randomBytes(mebibyte);
        throw new Error('the caller went away');
      }
      await expect(storage.write('broken/one', Readable.from(broken()))).rejects.toThrow('the caller went away');
      expect(await keys('broken/')).toEqual([]);
    });
  });

  describe('a log', () => {
    const append = (start: number, piece: string) => logs.append(job, start, Buffer.from(piece));
    const read = async (start: number, end: number) => text(logs.read(job, start, end));

    it('grows where it ends, and nowhere else', async () => {
      expect(await logs.size(job)).toBe(0);
      expect(await append(0, 'one ')).toEqual({ taken: true, size: 4 });
      expect(await append(0, 'one ')).toEqual({ taken: false, size: 4 });
      expect(await append(9, 'x')).toEqual({ taken: false, size: 4 });
      expect(await append(4, 'two ')).toEqual({ taken: true, size: 8 });
      expect(await append(8, 'three')).toEqual({ taken: true, size: 13 });
      expect([await read(0, 12), await read(2, 8), await read(5, 5)]).toEqual(['one two three', 'e two t', 'w']);
      expect(await logs.end(job, 7)).toBe('o three');
    });

    it('is one when several gateways get pieces of it, some of them twice', async () => {
      const gateways = [1, 2].map(() => new JobLogs(liveLogsIn(storage), storage));
      const log = randomBytes(64_000);
      let size = 0;
      for (let turn = 0; size < log.length; turn += 1) {
        // The runner heard no answer, and sends more to another one meanwhile.
        const pieces = [log.subarray(size, size + 900), log.subarray(size, size + 1_500)];
        const answers = await Promise.all(
          pieces.map((piece, index) => gateways[(turn + index) % 2]!.append(job, size, piece)),
        );
        size = Math.max(...answers.filter(({ taken }) => taken).map((answer) => answer.size));
      }
      expect(await logs.size(job)).toBe(log.length);
      expect(sha256(await buffer(logs.read(job, 0, log.length - 1)))).toBe(sha256(log));
    });

    it('is packed when its job is over, and read as before', async () => {
      const log = 'all work and no play\n'.repeat(50_000);
      await append(0, log);
      const reading = logs.read(job, 0, log.length - 1)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
      let seen = ((await reading.next()).value as Buffer).length;
      await logs.pack(job);
      await logs.pack(job);
      for (let next = await reading.next(); !next.done; next = await reading.next()) seen += next.value.length;
      expect(seen).toBe(log.length);
      expect(await keys(`job-logs/${Math.floor(job / 1000)}/`)).toContain(
        `job-logs/${Math.floor(job / 1000)}/${job}.log.gz`,
      );
      expect(await logs.size(job)).toBe(log.length);
      expect([await read(0, log.length - 1), await read(42, 61)]).toEqual([log, 'all work and no play']);
      expect(await logs.end(job, 5)).toBe('play\n');
      const packed = await logs.readPacked(job);
      expect(packed!.size).toBeLessThan(log.length / 100);
      expect(gunzipSync(await buffer(packed!.content)).toString()).toBe(log);
    });

    it('has its size also for whoever looks while it is packed', async () => {
      await logs.append(job, 0, Buffer.from('a line\n'));
      const live = liveLogsIn(storage);
      const size = live.size.bind(live);
      live.size = async (jobId) => {
        await logs.pack(jobId);
        return size(jobId);
      };
      expect(await new JobLogs(live, storage).size(job)).toBe(7);
    });

    it('is gone when it is deleted, packed or not', async () => {
      await append(0, 'one');
      await append(3, 'two');
      await logs.delete(job);
      expect(await logs.size(job)).toBe(0);
      expect(await append(0, 'anew')).toEqual({ taken: true, size: 4 });
      await logs.pack(job);
      await logs.delete(job);
      expect([await logs.size(job), await logs.readPacked(job)]).toEqual([0, null]);
    });

    it('that nobody packed or deleted is found', async () => {
      const [running, ended, gone, goneLongAgo] = [job, (job += 1), (job += 1), (job += 1)];
      for (const id of [running, ended, gone, goneLongAgo]) await logs.append(id, 0, Buffer.from('log'));
      await logs.pack(goneLongAgo);
      const asked = new Set<number>();
      const find = (jobIds: number[]) => {
        for (const id of jobIds) asked.add(id);
        const known = (ids: number[]) => ids.filter((id) => jobIds.includes(id));
        return Promise.resolve({ ended: known([ended]), gone: known([gone, goneLongAgo]) });
      };
      expect(await logs.tidy(find, false)).toEqual({ packed: 1, deleted: 1 });
      expect([asked.has(running), asked.has(goneLongAgo)]).toEqual([true, false]);
      expect([await logs.size(ended), (await logs.readPacked(ended))?.size]).toEqual([3, expect.any(Number)]);
      expect(await logs.tidy(find, true)).toMatchObject({ deleted: 1 });
      expect([await logs.size(running), await logs.size(gone), await logs.size(goneLongAgo)]).toEqual([3, 0, 0]);
    });
  });

  describe('an artifact', () => {
    let files: ArtifactFiles;
    beforeAll(() => (files = new ArtifactFiles(storage)));

    it('that is too large leaves nothing', async () => {
      const pieces = Array.from({ length: 12 }, () => randomBytes(mebibyte));
      const before = await keys('artifacts/');
      await expect(files.write(Readable.from(pieces), 11 * mebibyte)).rejects.toMatchObject({ status: 413 });
      expect(await keys('artifacts/')).toEqual(before);
    });

    it('that is an archive gives its files one by one', async () => {
      const zip = new ZipFile();
      const contents = Array.from({ length: 3_000 }, (_, index) => `file number ${index}`);
      for (const [index, content] of contents.entries()) zip.addBuffer(Buffer.from(content), `dir/${index}.txt`);
      zip.end();
      const { key, size, sha256: hash } = await files.write(Readable.from(zip.outputStream), 1_000 * mebibyte);
      expect(hash).toBe(sha256(await buffer(await files.read(key))));
      expect(await files.size(key)).toBe(size);
      const entry = (name: string) => openArchiveEntry((start, end) => files.read(key, start, end), size, name);
      expect(await text((await entry('dir/2999.txt'))!.content)).toBe('file number 2999');
      expect(await entry('dir/3000.txt')).toBeNull();
      await files.delete(key);
      await expect(entry('dir/1.txt')).rejects.toThrow(NotStored);
    });
  });
});

it('a bucket that is not there is told', async () => {
  const storage = await openStorage(server.url.replace('s3://jobs', 's3://nowhere'));
  await expect(storage.write('a', Readable.from(['x']))).rejects.toThrow('bucket does not exist');
});

it('a directory keeps nothing outside of it, and no unfinished files', async () => {
  const storage = await openStorage(directory);
  for (const key of ['../a', 'a/../../b', '/etc/passwd', 'a\0b', ''])
    await expect(storage.write(key, Readable.from(['x']))).rejects.toThrow('no key of ours');
  const left = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.part'));
  expect(left).toEqual([]);
});
