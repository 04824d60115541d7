import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { invalidParameters, Refusal } from '#libs/contracts';

/** A file of a form, and what became of it. */
export interface ReceivedFile<Stored> {
  filename: string;
  stored: Stored;
}

/**
 * Reads a multipart form whose one part that counts is the file `file` (runner-api.md §5.2), without ever holding all of it.
 *
 * @param store gets the file's bytes as they come
 * @throws Refusal 400 when the form is malformed, ends early or has no such file; whatever `store` throws
 */
export async function receiveFile<Stored>(
  body: Readable,
  contentType: string,
  store: (content: Readable) => Promise<Stored>,
): Promise<ReceivedFile<Stored>> {
  const form = open(contentType);
  let received: Promise<ReceivedFile<Stored>> | undefined;
  let current: Readable | undefined;
  const refusal = malformed();
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown) => {
      body.unpipe(form);
      // What is still on its way is let pass, so that the caller reads the answer.
      body.resume();
      current?.destroy(refusal);
      reject(error);
    };
    form.on('file', (name, content, filename) => {
      if (name !== 'file' || received) return void content.on('error', () => fail(refusal)).resume();
      current = content;
      // `store` hears of it as long as it listens; an error that comes later must not end the process.
      content.on('error', () => undefined);
      received = store(content).then(
        (stored) => ({ filename: plainName(filename), stored }),
        (error: NodeJS.ErrnoException) => {
          throw isOurs(error) ? error : refusal;
        },
      );
      received.catch(fail);
    });
    form.on('error', () => fail(refusal));
    form.on('finish', resolve);
    body.on('aborted', () => fail(refusal));
    body.on('error', () => fail(refusal));
    body.pipe(form);
  });
  if (!received) throw invalidParameters('file is missing');
  return received;
}

function open(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: { files: 10, fields: 100, fieldSize: 65_536, headerPairs: 100 },
      isPartAFile: (name, _type, filename) => filename !== undefined || name === 'file',
    });
  } catch {
    throw malformed();
  }
}

/** Too many bytes, or no room for them on the disk; all else that keeps a file from being stored is the fault of the form it comes in. */
function isOurs(error: NodeJS.ErrnoException): boolean {
  return error instanceof Refusal || error.syscall !== undefined;
}

function malformed() {
  return invalidParameters('The request body is not a valid multipart form');
}

/** Only a name, whatever path the caller's machine put before it, and one that a header can carry. */
function plainName(filename: string | undefined): string {
  const name = (filename ?? '')
    .replace(/^.*[/\\]/s, '')
    .replace(/[^\x20-\x7e]|["\\]/g, '_')
    .slice(0, 255);
  return name === '' || name === '.' || name === '..' ? 'artifacts' : name;
}
