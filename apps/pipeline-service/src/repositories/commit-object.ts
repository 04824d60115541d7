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

/** Without NUL, which only commits that git did not make hold, and no database keeps. */
function decode(bytes: Buffer, encoding: string): string {
  return decodeAs(encoding, bytes).replaceAll('\0', '');
}

function decodeAs(encoding: string, bytes: Buffer): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return bytes.toString('utf8');
  }
}

function parseIdentity(line: string): { name: string; email: string; at: string } {
  const match = /^([^<]*)<([^>]*)>(?: (\d+))?/.exec(line);
  return {
    name: match?.[1]?.replace(/ $/, '') ?? '',
    email: match?.[2] ?? '',
    at: formatTime(Number(match?.[3] ?? 0)),
  };
}

/** As all times of the API: ISO 8601 in UTC, with milliseconds (trigger-api.md §0.1). The year 9999 is the last with four digits. */
function formatTime(seconds: number): string {
  const at = new Date(seconds * 1000);
  return (at.getTime() < Date.UTC(10_000, 0) ? at : new Date(0)).toISOString();
}
