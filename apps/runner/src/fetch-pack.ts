import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { JobPayload } from './job.payload.js';
import { RUNNER_VERSION } from './version.js';

/** Sends a request to the repository's host, authenticated; the body of a 200 goes to `receive` as it comes. */
export type UploadPackCall = (body: Buffer, receive: (body: Readable) => Promise<void>) => Promise<number>;

/** A name that is a ref's beyond doubt, and no path that leads elsewhere (git-check-ref-format(1) allows more). */
const PLAIN_REF = /^refs(?:\/(?![.-])[A-Za-z0-9_+@=,-]+(?:\.[A-Za-z0-9_+@=,-]+)*(?<!\.lock))+$/;

/**
 * The refs that the job's refspecs make, where all of them are made of the pipeline's own, which is the job's commit (runner-api.md §2.8);
 * undefined where only the repository can tell what a ref points to.
 */
export function refsOfCommit({ git }: JobPayload): string[] | undefined {
  if (git.depth === 0 || git.refspecs.length === 0 || ![40, 64].includes(git.sha.length)) return undefined;
  const refs = git.refspecs.map((refspec) => /^\+?refs\/pipelines\/\d+:(.+)$/.exec(refspec)?.[1] ?? '');
  return refs.every((ref) => PLAIN_REF.test(ref)) ? [...new Set(refs)].sort() : undefined;
}

/**
 * Brings the job's commit, with so much of its history as the job asks for, into a repository that has nothing yet: one request of git's
 * protocol version 2 (gitprotocol-v2(5)), asking for the commit by its id. `git fetch` takes four and as many processes to find out
 * what is known here. The objects come as a pack that is not indexed yet.
 * @param repository the `.git` directory
 * @returns the pack's path; undefined where it was not to be had so, for whatever reason, and `git fetch` has to try and to tell
 */
export async function fetchPack(
  repository: string,
  job: JobPayload,
  refs: readonly string[],
  call: UploadPackCall,
): Promise<string | undefined> {
  const unnamed = join(repository, 'objects', 'pack', 'tmp_pack');
  try {
    return await receivePack(repository, unnamed, job, refs, call);
  } catch {
    await rm(unnamed, { force: true });
    return undefined;
  }
}

async function receivePack(
  repository: string,
  unnamed: string,
  { git }: JobPayload,
  refs: readonly string[],
  call: UploadPackCall,
): Promise<string> {
  const file = await open(unnamed, 'wx', 0o444);
  const shallow: string[] = [];
  let size = 0;
  let trailer: Buffer = Buffer.alloc(0);
  const idBytes = git.sha.length / 2;
  try {
    const status = await call(fetchRequest(git), async (body) => {
      let section = '';
      for await (const line of packetLines(body)) {
        if (line === undefined) section = '';
        else if (section === 'packfile') {
          if (line[0] === BAND.data) {
            const bytes = line.subarray(1);
            size += (await file.write(bytes)).bytesWritten;
            trailer = Buffer.concat([trailer, bytes.subarray(-idBytes)]).subarray(-idBytes);
          } else if (line[0] !== BAND.progress) throw new Unexpected();
        } else {
          const text = line.toString('latin1').trimEnd();
          const boundary = section === 'shallow-info' ? /^shallow ([0-9a-f]{40,64})$/.exec(text)?.[1] : undefined;
          if (boundary !== undefined) shallow.push(boundary);
          else if (section === '' && (text === 'packfile' || text === 'shallow-info')) section = text;
          else throw new Unexpected();
        }
      }
    });
    if (status !== 200 || size === 0) throw new Unexpected();
  } finally {
    await file.close();
  }
  const pack = join(repository, 'objects', 'pack', `pack-${trailer.toString('hex')}.pack`);
  const packedRefs = refs.map((ref) => `${git.sha} ${ref}\n`).join('');
  await Promise.all([
    rename(unnamed, pack),
    writeNew(join(repository, 'packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${packedRefs}`),
    shallow.length > 0 && writeNew(join(repository, 'shallow'), `${shallow.sort().join('\n')}\n`),
  ]);
  return pack;
}

const BAND = { data: 1, progress: 2 };

/** What the host says is not the answer to the question. */
class Unexpected extends Error {
  override readonly name = 'Unexpected';
}

function fetchRequest({ sha, depth, objectFormat }: JobPayload['git']): Buffer {
  const line = (text: string) => `${(text.length + 5).toString(16).padStart(4, '0')}${text}\n`;
  return Buffer.from(
    [
      line('command=fetch'),
      line(`agent=flagfall-runner/${RUNNER_VERSION}`),
      line(`object-format=${objectFormat}`),
      '0001',
      line('ofs-delta'),
      line('no-progress'),
      line(`want ${sha}`),
      line(`deepen ${depth}`),
      line('done'),
      '0000',
    ].join(''),
  );
}

/**
 * The lines of a stream in git's pkt-line format (gitprotocol-common(5)); undefined for a mark between parts.
 * @throws Unexpected where it is in no such format, or ends within a line
 */
async function* packetLines(body: Readable): AsyncGenerator<Buffer | undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 4) {
      const digits = rest.toString('latin1', at, at + 4);
      const length = Number.parseInt(digits, 16);
      if (!/^[0-9a-f]{4}$/i.test(digits) || length === 3) throw new Unexpected();
      if (rest.length - at < length) break;
      if (length >= 4) yield rest.subarray(at + 4, at + length);
      else yield undefined;
      at += Math.max(length, 4);
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new Unexpected();
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o644);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}
