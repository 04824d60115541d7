import { constants } from 'node:fs';
import { chmod, lstat, lutimes, mkdir, open, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';

/** Bounds for what an archive claims to hold: nobody's artifacts come near, and a made-up archive cannot fill more than a disk. */
const MOST_ENTRIES = 1_000_000;
const MOST_BYTES = 256 * 1024 ** 3;
const LONGEST_LINK_BYTES = 4096;
const UNIX = 3;

/**
 * Unpacks a zip file into a directory, over what is there. Whatever its names say, nothing is written outside of the directory,
 * neither by `..` nor through links: links of the archive are made last, and a path that leads out through a link that was there
 * before is refused. Permissions and times are kept, but for set-user bits; the owner may always write, so that the next job can
 * clean up.
 * @param path of the zip file
 * @throws {Error} for what is no zip file, a damaged one, or one that wants to write elsewhere
 */
export async function unpackZip(path: string, directory: string, signal: AbortSignal): Promise<void> {
  let zip: yauzl.ZipFile;
  try {
    zip = await yauzl.openPromise(path, { strictFileNames: true });
  } catch (error) {
    throw new Error(`it is not a readable zip file: ${(error as Error).message}`, { cause: error });
  }
  const root = await realpath(directory);
  const target = new Target(root);
  const links: { path: string; to: Buffer; modifiedAt: Date }[] = [];
  const directories: { path: string; mode: number }[] = [];
  let entries = 0;
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    signal.throwIfAborted();
    bytes += entry.uncompressedSize;
    if (++entries > MOST_ENTRIES || bytes > MOST_BYTES) throw new Error('it claims to hold more than any archive may');
    const isUnix = entry.versionMadeBy >> 8 === UNIX;
    const type = isUnix ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0;
    const mode = isUnix ? (entry.externalFileAttributes >>> 16) & 0o777 : 0;
    const name = entry.fileName.replace(/\/+$/, '');
    if (name === '') continue;
    if (entry.fileName.endsWith('/')) {
      await target.makeDirectory(name);
      directories.push({ path: name, mode: mode || 0o755 });
    } else if (type === 0o120000) {
      if (entry.uncompressedSize > LONGEST_LINK_BYTES) throw new Error(`the link ${name} is too long`);
      const to = await readAll(await zip.openReadStreamPromise(entry));
      links.push({ path: name, to, modifiedAt: entry.getLastModDate() });
    } else if (type === 0 || type === 0o100000) {
      const stream = await zip.openReadStreamPromise(entry);
      await target.writeFile(
        name,
        stream,
        { mode: mode || 0o644, modifiedAt: entry.getLastModDate(), crc: entry.crc32 },
        signal,
      );
    }
  }
  for (const { path: name, to, modifiedAt } of links) await target.makeLink(name, to, modifiedAt);
  // Last and from the bottom up: what is in them has been written.
  for (const { path: name, mode } of directories.reverse()) await chmod(join(root, name), mode | 0o700);
}

/** The comment in a zip file; undefined where there is no such file or it cannot be read. */
export async function readZipComment(path: string): Promise<string | undefined> {
  const zip = await yauzl.openPromise(path).catch(() => undefined);
  zip?.close();
  return zip?.comment;
}

/** The directory that is unpacked into, by its real path. */
class Target {
  /** Parents that were found or made within the root; none of them is replaced while files are written. */
  private readonly known = new Set<string>(['']);

  constructor(private readonly root: string) {}

  async makeDirectory(path: string): Promise<void> {
    if (this.known.has(path)) return;
    const parent = dirname(path) === '.' ? '' : dirname(path);
    await this.makeDirectory(parent);
    const full = join(this.root, path);
    await mkdir(full).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const real = await realpath(full);
    if (real !== this.root && !real.startsWith(this.root + sep)) {
      throw new Error(`it wants to write to ${path}, which leads out of the project directory`);
    }
    if (!(await lstat(real)).isDirectory()) throw new Error(`${path} is a file here and a directory in the archive`);
    this.known.add(path);
  }

  async writeFile(
    path: string,
    content: Readable,
    { mode, modifiedAt, crc }: { mode: number; modifiedAt: Date; crc: number },
    signal: AbortSignal,
  ): Promise<void> {
    const full = await this.clear(path);
    // Refuses a link that came in between.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(full, flags, 0o600);
    try {
      let sum = 0;
      for await (const chunk of content as AsyncIterable<Buffer>) {
        signal.throwIfAborted();
        sum = crc32(chunk, sum);
        await file.writeFile(chunk);
      }
      if (sum !== crc) throw new Error(`${path} is damaged: its checksum is wrong`);
      await file.chmod(mode);
      await file.utimes(modifiedAt, modifiedAt);
    } finally {
      await file.close();
    }
  }

  async makeLink(path: string, to: Buffer, modifiedAt: Date): Promise<void> {
    const full = await this.clear(path);
    await symlink(to, full);
    await lutimes(full, modifiedAt, modifiedAt);
  }

  /** Takes a file or link away that stands in the place; its directory exists afterwards. */
  private async clear(path: string): Promise<string> {
    const parent = dirname(path) === '.' ? '' : dirname(path);
    await this.makeDirectory(parent);
    const full = join(this.root, path);
    await rm(full, { force: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_FS_EISDIR') throw error;
      throw new Error(`${path} is a directory here and a file in the archive`, { cause: error });
    });
    return full;
  }
}

async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of stream) parts.push(chunk as Buffer);
  return Buffer.concat(parts);
}
