import type { CommitFacts } from '#libs/contracts';

/**
 * A commit as `git cat-file` prints it, without its own id, in words. Pure; damaged or hostile headers give empty names and the
 * epoch rather than an error, since git accepts such commits too.
 */
export function parseCommit(sha: string, object: Buffer): CommitFacts {
  const { headers, message } = splitObject(object);
  const author = parseIdentity(headers.find(([name]) => name === 'author')?.[1] ?? '');
  const committer = parseIdentity(headers.find(([name]) => name === 'committer')?.[1] ?? '');
  return {
    sha,
    parentIds: headers.filter(([name]) => name === 'parent').map(([, value]) => value),
    message,
    authorName: author.name,
    authorEmail: author.email,
    authoredAt: author.at,
    committerName: committer.name,
    committerEmail: committer.email,
    committedAt: committer.at,
  };
}

/** The message of an annotated tag, without its signature (`CI_COMMIT_TAG_MESSAGE`, trigger-api.md §6.2). */
export function parseTagMessage(object: Buffer): string {
  const { message } = splitObject(object);
  const signature = message.search(/^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----$/m);
  return (signature < 0 ? message : message.slice(0, signature)).trimEnd();
}

function splitObject(object: Buffer): { headers: [string, string][]; message: string } {
  const end = object.indexOf('\n\n');
  const head = end < 0 ? object : object.subarray(0, end);
  const body = end < 0 ? object.subarray(object.length) : object.subarray(end + 2);
  // Headers of more than one line (signatures) go on with a space.
  const lines = head
    .toString('latin1')
    .split('\n')
    .filter((line) => !line.startsWith(' '));
  const encoding = lines.find((line) => line.startsWith('encoding '))?.slice('encoding '.length) ?? 'utf-8';
  return {
    headers: lines.map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return [name, decode(Buffer.from(rest.join(' '), 'latin1'), encoding)];
    }),
    message: decode(body, encoding),
  };
}

function decode(bytes: Buffer, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return bytes.toString('utf8');
  }
}

function parseIdentity(line: string): { name: string; email: string; at: string } {
  const match = /^(.*?) ?<([^>]*)>(?: (\d+) ([+-]\d{4}))?/.exec(line);
  return {
    name: match?.[1] ?? '',
    email: match?.[2] ?? '',
    at: formatTime(Number(match?.[3] ?? 0), match?.[4] ?? '+0000'),
  };
}

/** ISO 8601 with the offset that git recorded, as GitLab prints it: `2021-09-20T09:06:12.000+03:00`. */
function formatTime(seconds: number, offset: string): string {
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(3));
  const valid = Number(offset.slice(1, 3)) <= 14 && Number(offset.slice(3)) < 60;
  const shift = valid ? (offset.startsWith('-') ? -minutes : minutes) : 0;
  const local = new Date((seconds + shift * 60) * 1000);
  // The year 9999 is the last that ISO 8601 writes with four digits.
  if (!(local.getTime() < Date.UTC(10_000, 0))) return '1970-01-01T00:00:00.000+00:00';
  return local.toISOString().replace('Z', valid ? `${offset.slice(0, 3)}:${offset.slice(3)}` : '+00:00');
}
