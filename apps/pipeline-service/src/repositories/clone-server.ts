import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ByteCache } from './byte-cache.js';
import { endGroup, ignoreBrokenPipe } from './git-command.js';

export interface CloneLimits {
  /** Milliseconds in which nothing moves in either direction; git itself says something every five seconds while it works. */
  idleMs: number;
  /** Milliseconds for a whole request. */
  totalMs: number;
  /** Bytes of a request after decompression: what a client wants and has. */
  requestBytes: number;
}

const usualLimits: CloneLimits = { idleMs: 60_000, totalMs: 3_600_000, requestBytes: 64 * 1_048_576 };

/**
 * Answers that will be the same next time: what this git can do, and the objects of commits that were asked for by id with nothing at hand, as every job
 * of a pipeline does that begins with an empty directory. They cost up to three processes each, and whoever asks has been allowed to read the mirror.
 */
const answers = new ByteCache<Buffer>(32 * 1_048_576);
const largestKept = 4 * 1_048_576;
/** Of a request that is looked up, in bytes; such a one has some hundred. */
const largestLookedUp = 4_096;

/** Why a request is answered without git. */
class CloneRefused extends Error {
  override readonly name = 'CloneRefused';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Answers the two requests of git's smart HTTP protocol for reading, versions 0 to 2 (gitprotocol-http(5)): `GET …/info/refs?service=git-upload-pack`
 * and `POST …/git-upload-pack`; what comes before these in the path does not matter. Whether the caller may read the mirror has been
 * decided before. Pinned commits can be fetched by id, and with version 2 as `refs/pipelines/<id>`; older versions announce all
 * refs to everybody, so there these are hidden but for those `shown`. Resolves when the answer has ended, well or not; it never rejects.
 *
 * @param mirror path of a bare repository
 * @param shown the pins that clients of older versions must see, such as `refs/pipelines/12`
 */
export async function serveUploadPack(
  mirror: string,
  request: IncomingMessage,
  response: ServerResponse,
  limits: CloneLimits = usualLimits,
  shown: readonly string[] = [],
): Promise<void> {
  try {
    const service = readService(request);
    await answer(mirror, service, request, response, limits, shown);
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const refused = error instanceof CloneRefused ? error : new CloneRefused(500, 'The repository could not be read');
    response.writeHead(refused.status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      // The rest of the request is not read.
      Connection: 'close',
      ...(refused.status === 405 && { Allow: 'GET, POST' }),
    });
    response.end(`${refused.message}\n`);
  }
}

interface Service {
  advertise: boolean;
  /** For GIT_PROTOCOL; empty for version 0. */
  protocol: string;
}

function readService(request: IncomingMessage): Service {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const advertise = url.pathname.endsWith('/info/refs');
  const asked = advertise ? url.searchParams.get('service') : url.pathname.split('/').at(-1);
  if (asked === 'git-receive-pack')
    throw new CloneRefused(403, 'This repository is read-only: push to where it is mirrored from');
  if (asked !== 'git-upload-pack') {
    throw advertise && !asked
      ? new CloneRefused(403, 'This server speaks the smart HTTP protocol only: use git 1.6.6 or newer')
      : new CloneRefused(404, 'Not found');
  }
  if (request.method !== (advertise ? 'GET' : 'POST'))
    throw new CloneRefused(405, `${request.method} is not possible here`);
  if (!advertise && request.headers['content-type'] !== 'application/x-git-upload-pack-request') {
    throw new CloneRefused(415, 'The Content-Type must be application/x-git-upload-pack-request');
  }
  const protocol = request.headers['git-protocol'] ?? '';
  if (typeof protocol !== 'string' || !/^[a-z0-9=:.-]{0,128}$/i.test(protocol)) {
    throw new CloneRefused(400, 'The Git-Protocol header is not valid');
  }
  return { advertise, protocol };
}

async function answer(
  mirror: string,
  { advertise, protocol }: Service,
  request: IncomingMessage,
  response: ServerResponse,
  limits: CloneLimits,
  shown: readonly string[],
): Promise<void> {
  const second = protocol.split(':').includes('version=2');
  const isShort = Number(request.headers['content-length'] ?? Infinity) <= largestLookedUp;
  const plain =
    !advertise && isShort && !request.headers['content-encoding'] ? await readAll(request, limits.idleMs) : undefined;
  const repeats = second && (advertise || (plain && asksForCommitsAlone(plain)));
  const key = repeats ? JSON.stringify([mirror, protocol, plain?.toString('latin1')]) : undefined;
  const begin = () =>
    response.writeHead(200, {
      'Content-Type': `application/x-git-upload-pack-${advertise ? 'advertisement' : 'result'}`,
      'Cache-Control': 'no-cache, max-age=0, must-revalidate',
      'X-Content-Type-Options': 'nosniff',
    });
  const known = key && answers.get(key);
  if (known) {
    begin().end(known);
    return;
  }
  const kept = new Kept();
  const settings = [
    'safe.directory=*',
    'uploadpack.allowAnySHA1InWant=true',
    'core.hooksPath=/dev/null',
    ...(second ? [] : ['uploadpack.hideRefs=refs/pipelines']),
    ...(second ? [] : shown.map((ref) => `uploadpack.hideRefs=!${ref}`)),
  ].flatMap((setting) => ['-c', setting]);
  const args = [
    ...settings,
    'upload-pack',
    '--strict',
    '--stateless-rpc',
    ...(advertise ? ['--advertise-refs'] : []),
    '--',
    mirror,
  ];
  const child = spawn('git', args, {
    env: {
      PATH: process.env['PATH'],
      LC_ALL: 'C',
      GIT_PROTOCOL: protocol,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_NO_LAZY_FETCH: '1',
      GIT_ALLOW_PROTOCOL: 'none',
    },
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const stop = () => endGroup(child);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', () => resolve(null));
  });
  const total = setTimeout(stop, limits.totalMs);
  const idle = setTimeout(stop, limits.idleMs);
  // A client that goes away takes its process, and the one that packs for it, along.
  response.once('close', stop);

  const send = async () => {
    // Nothing is said before git says something: until then the answer may still become an error.
    await Promise.race([once(child.stdout, 'readable'), ended]);
    if (child.stdout.readableLength === 0) return;
    begin();
    if (advertise && !second) response.write('001e# service=git-upload-pack\n0000');
    if (key) child.stdout.on('data', (chunk: Buffer) => kept.add(chunk));
    await pipeline(child.stdout, watch(idle), response, { end: false });
  };
  const receive = async () => {
    if (advertise || plain) return void child.stdin.on('error', ignoreBrokenPipe).end(plain);
    const unpacked = /^(x-)?gzip$/.test(request.headers['content-encoding'] ?? '') ? [createGunzip()] : [];
    await pipeline([request, ...unpacked, watch(idle, limits.requestBytes), child.stdin]);
  };

  try {
    const received = receive().catch((error: NodeJS.ErrnoException) => {
      // git may have read enough, or failed; its exit code tells.
      if (['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(error.code ?? '')) return;
      stop();
      throw error.code?.startsWith('Z_') ? new CloneRefused(400, 'The request is not valid gzip') : error;
    });
    await Promise.all([received, send()]);
    if ((await ended) !== 0) throw new Error('git upload-pack failed');
    if (key && kept.bytes <= largestKept) answers.set(key, kept.all(), kept.bytes + key.length);
    response.end();
  } finally {
    clearTimeout(total);
    clearTimeout(idle);
    response.off('close', stop);
    if (child.exitCode === null && child.signalCode === null) stop();
    await ended;
  }
}

/** What an answer was, unless it is a large one. */
class Kept {
  #chunks: Buffer[] = [];
  bytes = 0;

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes <= largestKept) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  all(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Whether a request of version 2 (gitprotocol-v2(5)) is for objects of commits by id, from a client that has none: no ref decides about its answer. */
function asksForCommitsAlone(body: Buffer): boolean {
  const lines: string[] = [];
  for (let at = 0; at + 4 <= body.length;) {
    const length = Number.parseInt(body.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length)) return false;
    // Shorter than its own four digits: one of the marks between parts.
    if (length > 4) lines.push(body.toString('latin1', at + 4, at + length).trimEnd());
    at += Math.max(length, 4);
  }
  const said = (word: string) => lines.filter((line) => line === word || line.startsWith(`${word} `));
  return (
    lines[0] === 'command=fetch' &&
    lines.includes('done') &&
    said('want').length > 0 &&
    ['have', 'want-ref', 'deepen-not', 'deepen-since', 'shallow'].every((word) => said(word).length === 0)
  );
}

/** The whole of a short request. @throws when it does not go on for that time, or its sender goes away */
function readAll(request: IncomingMessage, idleMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const idle = setTimeout(() => reject(new Error('The request does not move')), idleMs);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      idle.refresh();
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => clearTimeout(idle));
  });
}

/** Passes bytes on, keeps the idle timer from ending and counts. */
function watch(idle: NodeJS.Timeout, limit = Infinity): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      idle.refresh();
      bytes += chunk.length;
      if (bytes > limit) done(new CloneRefused(413, 'The request is too large'));
      else done(null, chunk);
    },
  });
}
