import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import yazl from 'yazl';
import { packGzip, packRaw, packZip } from './pack.js';
import { selectFiles, type Selection } from './select-files.js';
import { readZipComment, unpackZip } from './unpack.js';

let root: string;
let project: string;
const signal = new AbortController().signal;

const room = (bytes = 1024 ** 2, entries = 100) => ({ bytes, entries });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'archive-'));
  project = join(root, 'project');
  await mkdir(project);
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function write(path: string, content = path, mode = 0o644): Promise<void> {
  const full = join(project, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  await chmod(full, mode);
}

async function select(selection: Partial<Selection>) {
  const { files, notes } = await selectFiles(
    project,
    { paths: [], exclude: [], untracked: false, ...selection },
    process.env,
  );
  return { files, paths: files.map(({ path }) => path), notes: notes.map(({ text }) => text) };
}

async function zip(selection: Partial<Selection>, path = join(root, 'a.zip'), comment?: string): Promise<string> {
  const { files } = await select(selection);
  await pipeline(packZip(project, files, comment), createWriteStream(path));
  return path;
}

/** An archive as nobody's packer makes it. */
async function forged(entries: { name: string; content?: string; mode?: number }[]): Promise<string> {
  const file = new yazl.ZipFile();
  for (const [index, { content = 'x', mode = 0o100644 }] of entries.entries()) {
    file.addBuffer(Buffer.from(content), `name-${index}`, { mode });
  }
  file.end();
  const path = join(root, 'forged.zip');
  await pipeline(file.outputStream, createWriteStream(path));
  let bytes = (await readFile(path)).toString('latin1');
  // yazl refuses such names itself; of the same length, they can be written in afterwards.
  for (const [index, { name }] of entries.entries()) {
    const placeholder = `name-${index}`;
    if (name.length !== placeholder.length) throw new Error(`${name} must have ${placeholder.length} characters`);
    bytes = bytes.replaceAll(placeholder, name);
  }
  await writeFile(path, Buffer.from(bytes, 'latin1'));
  return path;
}

describe('selection', () => {
  test('a directory means all in it, a pattern what matches, each file once, sorted', async () => {
    await Promise.all(
      ['dist/b.js', 'dist/a/x.map', 'dist/.hidden', 'other/a.log', 'top.log'].map((path) => write(path)),
    );
    const { paths, notes } = await select({
      paths: ['dist/', '**/*.log', 'dist/b.js', './top.log', `${project}/other`],
    });
    expect(paths).toEqual([
      'dist',
      'dist/.hidden',
      'dist/a',
      'dist/a/x.map',
      'dist/b.js',
      'other',
      'other/a.log',
      'top.log',
    ]);
    expect(notes[0]).toBe('dist/: found 5 matching artifact files and directories');
  });

  test('exclude takes files away by the same patterns', async () => {
    await Promise.all(['dist/b.js', 'dist/b.js.map', 'dist/deep/c.map'].map((path) => write(path)));
    const { paths, notes } = await select({ paths: ['dist'], exclude: ['dist/**/*.map'] });
    expect(paths).toEqual(['dist', 'dist/b.js', 'dist/deep']);
    expect(notes).toContain('dist/**/*.map: excluded 2 files');
  });

  test.each(['../outside', '/etc/passwd', 'a/../../outside', '..'])(
    'nothing outside of the project: %s',
    async (path) => {
      await writeFile(join(root, 'outside'), 'secret');
      const { paths, notes } = await select({ paths: [path] });
      expect(paths).toEqual([]);
      expect(notes).toEqual([`artifact path is not a subpath of project directory: ${path}`]);
    },
  );

  test('links are taken as links and never followed', async () => {
    await mkdir(join(root, 'outside'));
    await writeFile(join(root, 'outside', 'secret'), 'secret');
    await symlink(join(root, 'outside'), join(project, 'link'));
    await write('real/file');
    expect((await select({ paths: ['link/secret', 'link/**'] })).paths).toEqual(['link']);
    expect((await select({ paths: ['**/secret'] })).paths).toEqual([]);
    expect((await select({ paths: ['.'] })).files.map(({ path, kind }) => `${path} ${kind}`)).toEqual([
      'link link',
      'real directory',
      'real/file file',
    ]);
  });

  test('what cannot be packed is told', async () => {
    await promisify(execFile)('mkfifo', [join(project, 'pipe')]);
    await write('back\\slash');
    const { paths, notes } = await select({ paths: ['*', 'absent'] });
    expect(paths).toEqual([]);
    expect(notes.join('\n')).toMatch(/pipe: it is neither file, directory nor link/);
    expect(notes.join('\n')).toMatch(/backslash/);
    expect(notes.at(-1)).toMatch(
      /^absent: no matching files\. Ensure that the artifact path is relative to the working directory/,
    );
  });

  test('untracked files are those git does not know, ignored ones too; its configuration runs nothing; .git is left out', async () => {
    const git = (...args: string[]) => promisify(execFile)('git', args, { cwd: project });
    await git('init', '--quiet');
    await write('known');
    await write('.gitignore', 'ignored');
    await git('add', 'known', '.gitignore');
    await write('new file');
    await write('ignored');
    await git('config', 'core.fsmonitor', `touch ${join(root, 'ran')}; false`);
    const { paths, notes } = await select({ untracked: true });
    expect(paths).toEqual(['ignored', 'new file']);
    expect(notes).toEqual(['untracked: found 2 files']);
    expect((await select({ paths: ['.'] })).paths).toEqual(['.gitignore', 'ignored', 'known', 'new file']);
    await expect(stat(join(root, 'ran'))).rejects.toThrow('ENOENT');
  });
});

describe('zip files', () => {
  test('keep content, permissions, links, empty directories and times, for unzip as for ourselves', async () => {
    await write('bin/tool', '#!/bin/sh\n', 0o755);
    await write('bin/secret', 'content', 0o400);
    await mkdir(join(project, 'empty'));
    await symlink('tool', join(project, 'bin', 'link'));
    await symlink('/usr/bin/nowhere', join(project, 'bin', 'absolute'));
    await utimes(join(project, 'bin/tool'), 1_700_000_000, 1_700_000_000);
    await mkdir(join(root, 'ours'));
    const path = await zip({ paths: ['bin', 'empty'] });
    await unpackZip(path, join(root, 'ours'), room(), signal);
    await promisify(execFile)('unzip', ['-q', path, '-d', join(root, 'theirs')]);
    for (const where of ['ours', 'theirs'].map((name) => join(root, name))) {
      expect(await readFile(join(where, 'bin/tool'), 'utf8')).toBe('#!/bin/sh\n');
      expect((await stat(join(where, 'bin/tool'))).mode & 0o777).toBe(0o755);
      expect((await stat(join(where, 'bin/tool'))).mtimeMs).toBe(1_700_000_000_000);
      expect((await stat(join(where, 'bin/secret'))).mode & 0o777).toBe(0o400);
      expect(await readlink(join(where, 'bin/link'))).toBe('tool');
      expect(await readlink(join(where, 'bin/absolute'))).toBe('/usr/bin/nowhere');
      expect(await readdir(join(where, 'empty'))).toEqual([]);
    }
  });

  test('the same files give the same bytes, and a comment can be read again', async () => {
    await Promise.all(['b', 'a', 'c/d'].map((path) => write(path)));
    const [first, second] = [
      await zip({ paths: ['*'] }, join(root, '1.zip'), 'state'),
      await zip({ paths: ['*'] }, join(root, '2.zip'), 'state'),
    ];
    expect((await readFile(first)).equals(await readFile(second))).toBe(true);
    expect(await readZipComment(first)).toBe('state');
    expect(await readZipComment(join(root, 'absent'))).toBeUndefined();
  });

  test('a file that becomes a link while it is packed is refused, not followed', async () => {
    await write('file');
    const { files } = await select({ paths: ['file'] });
    await rm(join(project, 'file'));
    await symlink('/etc/passwd', join(project, 'file'));
    await expect(pipeline(packZip(project, files), createWriteStream(join(root, 'x')))).rejects.toThrow('ELOOP');
  });
});

describe('unpacking', () => {
  test.each(['../out', '/tmp/x', 'a/../x'])('zip slip by the name %s is refused', async (name) => {
    const path = await forged([{ name }]);
    await expect(unpackZip(path, project, room(), signal)).rejects.toThrow(/invalid relative path|absolute path/);
    expect(await readdir(root)).not.toContain('out');
  });

  test('zip slip by a link of the archive is refused: links come last', async () => {
    await mkdir(join(root, 'outside'));
    const path = await forged([{ name: 'linkkk', content: join(root, 'outside'), mode: 0o120777 }, { name: 'linkkk' }]);
    await unpackZip(path, project, room(), signal).catch(() => undefined);
    expect(await readdir(join(root, 'outside'))).toEqual([]);
    const below = await forged([
      { name: 'linkk2', content: join(root, 'outside'), mode: 0o120777 },
      { name: 'linkk2' },
      { name: 'l/file' },
    ]);
    await unpackZip(below, project, room(), signal).catch(() => undefined);
    expect(await readdir(join(root, 'outside'))).toEqual([]);
  });

  test('zip slip through a link that an earlier job left is refused', async () => {
    await mkdir(join(root, 'outside'));
    await symlink(join(root, 'outside'), join(project, 'l'));
    const path = await forged([{ name: 'l/file' }]);
    await expect(unpackZip(path, project, room(), signal)).rejects.toThrow('leads out of the project directory');
    expect(await readdir(join(root, 'outside'))).toEqual([]);
  });

  test('a link in place of a file is replaced, not written through; one within the project is followed for its directory', async () => {
    await write('kept', 'kept');
    await mkdir(join(project, 'd'));
    await symlink(join(project, 'kept'), join(project, 'newfil'));
    await symlink('d', join(project, 'l'));
    await unpackZip(await forged([{ name: 'newfil', content: 'new' }, { name: 'l/file' }]), project, room(), signal);
    expect(await readFile(join(project, 'kept'), 'utf8')).toBe('kept');
    expect((await lstat(join(project, 'newfil'))).isFile()).toBe(true);
    expect(await readdir(join(project, 'd'))).toEqual(['file']);
  });

  test('later archives overwrite, set-user bits are not kept, and what is in the way is told', async () => {
    await unpackZip(await forged([{ name: 'file-1', content: 'old' }]), project, room(), signal);
    await unpackZip(await forged([{ name: 'file-1', content: 'new', mode: 0o104755 }]), project, room(), signal);
    expect(await readFile(join(project, 'file-1'), 'utf8')).toBe('new');
    expect((await stat(join(project, 'file-1'))).mode & 0o7777).toBe(0o755);
    await mkdir(join(project, 'direct'));
    await expect(unpackZip(await forged([{ name: 'direct' }]), project, room(), signal)).rejects.toThrow(
      'is a directory here',
    );
    await expect(unpackZip(await forged([{ name: 'file-/' }]), project, room(), signal)).resolves.toBeUndefined();
  });

  test('a bomb is refused before anything is written, by its size as by its number of files, and many small ones as a large one', async () => {
    const bomb = await forged([{ name: 'file-1' }, { name: 'file-2', content: 'x'.repeat(3 * 1024 ** 2) }]);
    await expect(unpackZip(bomb, project, room(2 * 1024 ** 2), signal)).rejects.toThrow(
      'more than the 2 MiB that are left',
    );
    await expect(unpackZip(bomb, project, room(4 * 1024 ** 2, 1), signal)).rejects.toThrow(
      'more than the 1 files and directories',
    );
    expect(await readdir(project)).toEqual([]);
    const shared = room(4 * 1024 ** 2, 4);
    await unpackZip(bomb, project, shared, signal);
    await expect(unpackZip(bomb, project, shared, signal)).rejects.toThrow('RUNNER_UNPACK_LIMIT');
    shared.bytes = 1024 ** 3;
    await unpackZip(bomb, project, shared, signal);
    await expect(unpackZip(bomb, project, shared, signal)).rejects.toThrow('RUNNER_UNPACK_ENTRIES');
  });

  test('an archive that claims to hold less than it does gives no more than it claims', async () => {
    const path = await forged([{ name: 'file-1', content: 'x'.repeat(3 * 1024 ** 2) }]);
    const bytes = await readFile(path);
    bytes.writeUInt32LE(10, bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 24);
    await writeFile(path, bytes);
    await expect(unpackZip(path, project, room(1024, 1), signal)).rejects.toThrow('too many bytes');
    const written = await stat(join(project, 'file-1')).catch(() => undefined);
    expect(written?.size ?? 0).toBeLessThanOrEqual(10);
  });

  test('a name of slashes takes no time', async () => {
    const long = `a${'/'.repeat(65_000)}x`;
    const file = new yazl.ZipFile();
    file.addBuffer(Buffer.from('x'), 'n'.repeat(long.length));
    file.end();
    const bytes = (await buffer(file.outputStream)).toString('latin1').replaceAll('n'.repeat(long.length), long);
    await writeFile(join(root, 'long.zip'), Buffer.from(bytes, 'latin1'));
    const began = performance.now();
    await unpackZip(join(root, 'long.zip'), project, room(), signal).catch(() => undefined);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test('what is damaged or no zip file is refused', async () => {
    await write('file', 'x'.repeat(1000));
    const path = await zip({ paths: ['file'] });
    const bytes = await readFile(path);
    bytes.writeUInt32LE(1, bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 16);
    await writeFile(path, bytes);
    await expect(unpackZip(path, project, room(), signal)).rejects.toThrow('checksum');
    await writeFile(path, bytes.subarray(0, 50));
    await expect(unpackZip(path, project, room(), signal)).rejects.toThrow('not a readable zip file');
  });
});

test('gzip holds one member for each file, with its name; raw is the file itself', async () => {
  await write('a.xml', '<a/>');
  await write('deep/b.xml', '<b/>');
  const { files } = await select({ paths: ['*.xml', 'deep'] });
  const parts: Buffer[] = [];
  for await (const part of packGzip(project, files)) parts.push(part as Buffer);
  const bytes = Buffer.concat(parts);
  expect(gunzipSync(bytes).toString()).toBe('<a/><b/>');
  expect(bytes.includes('b.xml\0')).toBe(true);
  await writeFile(join(root, 'x.gz'), bytes);
  expect((await promisify(execFile)('gzip', ['-dc', join(root, 'x.gz')])).stdout).toBe('<a/><b/>');
  expect(() => packRaw(project, files)).toThrow('only one file can be sent as it is, and 2 match');
  const raw: Buffer[] = [];
  for await (const part of packRaw(project, files.slice(0, 1))) raw.push(part as Buffer);
  expect(Buffer.concat(raw).toString()).toBe('<a/>');
});
