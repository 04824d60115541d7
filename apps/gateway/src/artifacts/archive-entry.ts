import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type Entry, fromRandomAccessReader, type ZipFile } from 'yauzl';
import { ArchiveReader } from './archive-reader.js';

/** A file inside an archive. */
export interface ArchiveEntry {
  content: Readable;
  /** Bytes, unpacked. */
  size: number;
}

/**
 * Opens one file of a zip archive, reading nothing but the archive's index and that file.
 *
 * @param readRange gives bytes of the archive from `start` to `end`, which counts too
 * @param size of the archive
 * @param name of the file in it
 * @returns null when the archive has no such file, or it is a directory or a link, or the archive is broken: whoever packed it may not have meant it well
 * @throws Error when the storage does not give it
 */
export async function openArchiveEntry(
  readRange: (start: number, end: number) => Promise<Readable>,
  size: number,
  name: string,
): Promise<ArchiveEntry | null> {
  const reader = new ArchiveReader(readRange, size);
  let zip: ZipFile | undefined;
  try {
    zip = await openZip(reader);
    const entry = await find(zip, name);
    if (entry && isFile(entry)) {
      const content = await openStream(zip, entry);
      content.once('close', () => zip?.close());
      // A broken one mostly says so at once, before anybody has been promised anything.
      await once(content, 'readable');
      return { content, size: entry.uncompressedSize };
    }
  } catch {
    if (reader.failure !== undefined) throw reader.failure;
  }
  zip?.close();
  return null;
}

function openZip(reader: ArchiveReader): Promise<ZipFile> {
  return new Promise((resolve, reject) =>
    fromRandomAccessReader(reader, reader.size, { lazyEntries: true, autoClose: false }, (error, opened) =>
      error ? reject(error) : resolve(opened),
    ),
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
