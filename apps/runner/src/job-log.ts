import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Masker } from './masking.js';

/** Bytes of one PATCH at most (runner-api.md §4.1). */
const LARGEST_CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** Streams as a stamped line names them: the runner's own text, and what the job's commands write (runner-api.md §4.5). */
type Stream = '00O' | '01O';

interface LogOptions {
  /** Bytes that the job's own output may take; the runner's few lines come on top. */
  outputLimit: number;
  /** Whether the coordinator wants section markers. */
  sections: boolean;
  /** `FF_TIMESTAMPS`: every line begins with its time and stream. */
  timestamps: boolean;
}

/**
 * The log of one job. Secrets are masked before a byte reaches the disk, so offsets, size and checksum speak of exactly what the
 * coordinator gets. The bytes lie in a file without a name: nothing can read it by path, and nothing remains of a killed runner.
 */
export class JobLog {
  private readonly fd: number;
  private written = 0;
  private crc = 0;
  private outputBytes = 0;
  private full = false;
  private lastByte = NEWLINE;
  /** Of a stamped log: what the next byte needs before it; nothing within a line. */
  private nextStamp: '' | ' ' | '+' = ' ';
  /** Called after bytes were added. */
  onGrowth: () => void = () => undefined;

  /**
   * @param directory on which the bytes are kept
   */
  constructor(
    directory: string,
    name: string,
    private readonly masker: Masker,
    private readonly options: LogOptions,
  ) {
    const path = join(directory, name);
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    unlinkSync(path);
  }

  /** Bytes so far. */
  get size(): number {
    return this.written;
  }

  /** `crc32:` and eight hex digits over all bytes so far (runner-api.md §3.1). */
  get checksum(): string {
    return `crc32:${this.crc.toString(16).padStart(8, '0')}`;
  }

  /** Takes output of the job. Past the limit it is dropped, with one notice. */
  output(chunk: Buffer): void {
    if (!this.full) this.addOutput(this.masker.push(chunk));
  }

  /** The process whose output came last has ended: what the mask held back cannot become a secret any more. */
  endOutput(): void {
    const rest = this.masker.flush();
    if (!this.full) this.addOutput(rest);
  }

  /** Writes a line of the runner's own, on a line of its own. */
  line(text: string): void {
    this.endOutput();
    this.write(Buffer.from(`${this.lastByte === NEWLINE ? '' : '\n'}${text}\n`));
  }

  /** Wraps what a piece of work says in a section of its own, which viewers fold by its name. */
  async section<T>(name: string, title: string, work: () => Promise<T>): Promise<T> {
    this.mark('start', name);
    this.line(`\x1b[36;1m${title}\x1b[0;m`);
    try {
      return await work();
    } finally {
      this.mark('end', name);
    }
  }

  /** Up to 1 MiB of the log from an offset below `size`. */
  read(start: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.min(this.written - start, LARGEST_CHUNK_BYTES));
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(this.fd, bytes, length, bytes.length - length, start + length);
      if (count === 0) throw new Error('the log on disk is shorter than what was written to it');
      length += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.fd);
  }

  /** A marker begins on a line of its own and erases itself on a terminal, so that the next text follows it. */
  private mark(kind: 'start' | 'end', name: string): void {
    if (!this.options.sections) return;
    this.endOutput();
    const marker = `section_${kind}:${Math.floor(Date.now() / 1000)}:${name}\r\x1b[0K`;
    this.write(Buffer.from(`${this.lastByte === NEWLINE ? '' : '\n'}${marker}`));
    if (this.options.timestamps) {
      this.append(Buffer.of(NEWLINE), '00O');
      this.nextStamp = '+';
    }
    this.lastByte = NEWLINE;
  }

  private addOutput(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const room = this.options.outputLimit - this.outputBytes;
    this.outputBytes += bytes.length;
    if (bytes.length <= room) return this.append(bytes, '01O');
    this.full = true;
    this.append(bytes.subarray(0, wholeCharacters(bytes, room)), '01O');
    this.write(
      Buffer.from(
        `${this.lastByte === NEWLINE ? '' : '\n'}\x1b[33;1mJob's log exceeded limit of ${this.options.outputLimit} bytes.\n` +
          'Job execution will continue but no more output will be collected.\x1b[0;m\n',
      ),
    );
  }

  /** The runner's own text passes the mask too: error messages of git may repeat what the job was given. */
  private write(bytes: Buffer): void {
    this.append(Buffer.concat([this.masker.push(bytes), this.masker.flush()]), '00O');
  }

  private append(text: Buffer, stream: Stream): void {
    if (text.length === 0) return;
    const bytes = this.options.timestamps ? this.stamp(text, stream) : text;
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, this.written + done);
    }
    this.written += bytes.length;
    this.crc = crc32(bytes, this.crc);
    this.lastByte = bytes[bytes.length - 1]!;
    this.onGrowth();
  }

  private stamp(text: Buffer, stream: Stream): Buffer {
    // GitLab's runner writes microseconds.
    const time = new Date().toISOString().replace('Z', '000Z');
    const parts: Buffer[] = [];
    for (let start = 0; start < text.length;) {
      if (this.nextStamp !== '') parts.push(Buffer.from(`${time} ${stream}${this.nextStamp}`));
      const newline = text.indexOf(NEWLINE, start);
      const end = newline < 0 ? text.length : newline + 1;
      parts.push(text.subarray(start, end));
      this.nextStamp = newline < 0 ? '' : ' ';
      start = end;
    }
    return Buffer.concat(parts);
  }
}

/** The largest length up to `length` that does not cut a UTF-8 character. */
function wholeCharacters(bytes: Buffer, length: number): number {
  let end = length;
  while (end > 0 && length - end < 4 && (bytes[end]! & 0xc0) === 0x80) end--;
  return end;
}
