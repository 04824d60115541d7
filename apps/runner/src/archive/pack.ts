import { constants } from 'node:fs';
import { open, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { crc32, createDeflateRaw } from 'node:zlib';
import yazl from 'yazl';
import type { SelectedFile } from './select-files.js';

const FILE_TYPE = { file: 0o100000, directory: 0o040000, link: 0o120000 };

/**
 * The bytes of an archive as they are made, never whole in memory or on disk: permissions and links are kept, links as links. The
 * same files give the same bytes. What goes wrong with a file is the stream's error.
 * @param comment kept in the archive, for who packed it
 */
export function packZip(root: string, files: readonly SelectedFile[], comment = ''): Readable {
  const zip = new yazl.ZipFile();
  const output = zip.outputStream as PassThrough;
  const fail = (error: Error) => output.destroy(error);
  zip.on('error', fail);
  // Links are read while nothing is packed yet: yazl wants their content at once, and in order.
  void (async () => {
    for (const file of files) {
      const options = { mtime: file.modifiedAt, mode: FILE_TYPE[file.kind] | file.mode };
      if (file.kind === 'directory') zip.addEmptyDirectory(file.path, options);
      else if (file.kind === 'link') zip.addBuffer(await readlink(join(root, file.path), 'buffer'), file.path, options);
      else {
        zip.addReadStreamLazy(file.path, options, (give) => {
          openFile(root, file.path).then(
            (stream) => give(null, stream.on('error', fail)),
            (error: Error) => fail(error),
          );
        });
      }
    }
    zip.end({ comment, forceZip64Format: false });
  })().catch(fail);
  return output;
}

/**
 * Files one after the other, each a gzip member with its name, as GitLab reads reports. Directories and links are left out, as they
 * are from `packRaw`.
 */
export function packGzip(root: string, files: readonly SelectedFile[]): Readable {
  return Readable.from(gzipMembers(root, files), { objectMode: false });
}

/** The bytes of the one file. @throws when there are several */
export function packRaw(root: string, files: readonly SelectedFile[]): Readable {
  const [file, ...more] = files.filter(({ kind }) => kind === 'file');
  if (file === undefined || more.length > 0) {
    throw new Error(`only one file can be sent as it is, and ${more.length + (file ? 1 : 0)} match`);
  }
  return Readable.from(readFile(root, file.path), { objectMode: false });
}

async function* readFile(root: string, path: string): AsyncGenerator<Buffer> {
  for await (const chunk of await openFile(root, path)) yield chunk as Buffer;
}

async function* gzipMembers(root: string, files: readonly SelectedFile[]): AsyncGenerator<Buffer> {
  for (const { path, modifiedAt, kind } of files) {
    if (kind !== 'file') continue;
    // Identification, deflate, "a name follows", time, no extra flags, made on Unix (RFC 1952).
    const header = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
    header.writeUInt32LE(Math.max(0, Math.floor(modifiedAt.getTime() / 1000)) % 2 ** 32, 4);
    yield Buffer.concat([header, Buffer.from(basename(path), 'latin1'), Buffer.of(0)]);
    let sum = 0;
    let size = 0;
    const source = (await openFile(root, path)).on('data', (chunk) => {
      sum = crc32(chunk, sum);
      size = (size + chunk.length) % 2 ** 32;
    });
    const deflated = source.pipe(createDeflateRaw());
    source.on('error', (error) => deflated.destroy(error));
    for await (const chunk of deflated) yield chunk as Buffer;
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(sum, 0);
    trailer.writeUInt32LE(size, 4);
    yield trailer;
  }
}

/** Never through a link, and never what would block: the path was an ordinary file a moment ago. */
async function openFile(root: string, path: string): Promise<Readable> {
  const handle = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (!(await handle.stat()).isFile()) {
    await handle.close();
    throw new Error(`${path} is no longer a file`);
  }
  return handle.createReadStream();
}
