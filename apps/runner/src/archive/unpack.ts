import { constants } from 'node:fs';
import { chmod, lstat, lutimes, mkdir, open as openFile, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';

/** How much may still be unpacked: each archive takes of it what it claims to hold, so that many small bombs do not make a large one. */
export interface UnpackRoom {
  bytes: number;
  /** Files, directories and links. */
  entries: number;
}

const LONGEST_LINK_BYTES = 4096;
const UNIX = 3;

/**
 * Unpacks a zip file into a directory, over what is there. Whatever its names say, nothing is written outside of the directory,
 * neither by `..` nor through links: links of the archive are made last, and a path that leads out through a link that was there
 * before is refused. Permissions and times are kept, but for set-user bits; the owner may always write, so that the next job can
 * clean up. An archive that claims to hold more than there is room for is refused before anything is written, and one that holds more
 * than it claims when it comes to that. What failed halfway has taken its room all the same.
 * @param path of the zip file
 * @throws {Error} for what is no zip file, a damaged one, one that wants to write elsewhere, or more than there is room for
 */
export async function unpackZip(path: string, directory: string, room: UnpackRoom, signal: AbortSignal): Promise<void> {
  await takeRoom(path, room, signal);
  const zip = await openZip(path);
  const root = await realpath(directory);
  const target = new Target(root);
  const links: { path: string; to: Buffer; modifiedAt: Date }[] = [];
  const directories: { path: string; mode: number }[] = [];
  for await (const entry of zip.eachEntry()) {
    signal.throwIfAborted();
    const isUnix = entry.versionMadeBy >> 8 === UNIX;
    const type = isUnix ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0;
    const mode = isUnix ? (entry.externalFileAttributes >>> 16) & 0o777 : 0;
    const name = entry.fileName.replace(/(?<!\/)\/+$/, '');
    if (name === '') continue;
    if (entry.fileName.endsWith('/')) {
      await target.makeDirectory(name);
      directories.push({ path: name, mode: mode || 0o755 });
    } else if (type === 0o120000) {
      if (entry.uncompressedSize > LONGEST_LINK_BYTES) throw new Error(`the link ${name} is too long`);
      const to = await readAll(await zip.openReadStreamPromise(entry));
      links.push({ path: name, to, modifiedAt: entry.getLastModDate() });
    } else if (type === 0 || type === 0o100000) {
      await target.writeFile(
        name,
        () => zip.openReadStreamPromise(entry),
        { mode: mode || 0o644, modifiedAt: entry.getLastModDate(), crc: entry.crc32 },
        signal,
      );
    }
  }
  for (const { path: name, to, modifiedAt } of links) await target.makeLink(name, to, modifiedAt);
  // Last and from the bottom up: what is in them has been written.
  for (const { path: name, mode } of directories.reverse()) await chmod(join(root, name), mode | 0o700);
}

async function openZip(path: string): Promise<yauzl.ZipFile> {
  try {
    return await yauzl.openPromise(path, { strictFileNames: true });
  } catch (error) {
    throw new Error(`it is not a readable zip file: ${(error as Error).message}`, { cause: error });
  }
}

/** What yauzl then hands out of an entry is as long as the entry claims, or an error. */
async function takeRoom(path: string, room: UnpackRoom, signal: AbortSignal): Promise<void> {
  const left = { ...room };
  for await (const { uncompressedSize } of (await openZip(path)).eachEntry()) {
    signal.throwIfAborted();
    left.bytes -= uncompressedSize;
    left.entries -= 1;
    if (left.bytes < 0)
      throw new Error(
        `unpacked it would take more than the ${Math.floor(room.bytes / 1024 ** 2)} MiB that are left to this job of what its runner allows (RUNNER_UNPACK_LIMIT)`,
      );
    if (left.entries < 0)
      throw new Error(
        `it holds more than the ${room.entries} files and directories that are left to this job of what its runner allows (RUNNER_UNPACK_ENTRIES)`,
      );
  }
  Object.assign(room, left);
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

  /** @param open opens the content, which is read at once: an error of a stream that nobody listens to yet would end the process */
  async writeFile(
    path: string,
    open: () => Promise<Readable>,
    { mode, modifiedAt, crc }: { mode: number; modifiedAt: Date; crc: number },
    signal: AbortSignal,
  ): Promise<void> {
    const full = await this.clear(path);
    // Refuses a link that came in between.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await openFile(full, flags, 0o600);
    try {
      let sum = 0;
      for await (const chunk of (await open()) as AsyncIterable<Buffer>) {
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
