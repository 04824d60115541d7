import type { Readable } from 'node:stream';
import { type Entry, open, type ZipFile } from 'yauzl';

/** A file inside an archive. */
export interface ArchiveEntry {
  content: Readable;
  /** Bytes, unpacked. */
  size: number;
}

/**
 * Opens one file of a zip archive, reading nothing but the archive's index and that file.
 *
 * @param path of the archive on this machine
 * @param name of the file in it
 * @returns null when the archive has no such file, or it is a directory or a link, or the archive is broken: whoever packed it may not have meant it well
 * @throws Error when it cannot be read from the disk
 */
export async function openArchiveEntry(path: string, name: string): Promise<ArchiveEntry | null> {
  let zip: ZipFile | undefined;
  try {
    zip = await openZip(path);
    const entry = await find(zip, name);
    if (entry && isFile(entry)) {
      const content = await openStream(zip, entry);
      content.once('close', () => zip?.close());
      return { content, size: entry.uncompressedSize };
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
  }
  zip?.close();
  return null;
}

function openZip(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) =>
    open(path, { lazyEntries: true, autoClose: false }, (error, opened) => (error ? reject(error) : resolve(opened))),
  );
}

function openStream(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) =>
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream))),
  );
}

function find(zip: ZipFile, name: string): Promise<Entry | null> {
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry) => (entry.fileName === name ? resolve(entry) : zip.readEntry()));
    zip.once('end', () => resolve(null));
    zip.once('error', reject);
    zip.readEntry();
  });
}

/** The upper half of the attributes is the mode of the file where a Unix packed it; others leave it out. */
function isFile(entry: Entry): boolean {
  const kind = (entry.externalFileAttributes >>> 16) & 0o170000;
  return !entry.fileName.endsWith('/') && (kind === 0 || kind === 0o100000);
}
