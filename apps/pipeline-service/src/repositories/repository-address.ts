import { isIP } from 'node:net';
import { normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RepositoryUnreadable } from './repository-errors.js';

/** Where a project's commits come from. */
export interface RepositoryAddress {
  projectId: number;
  /** https://…, http://…, ssh://…, git@host:path, file:///… or an absolute path; no password in it. */
  url: string;
  /** For HTTP; they never stand in a command line, an environment or an error. */
  credentials?: { username: string; password: string };
}

export type Scheme = 'https' | 'http' | 'ssh' | 'file';

/** An address taken apart; `url` is what git is given, `host` a name or an IP address without brackets. */
export type ParsedAddress =
  { scheme: 'file'; path: string } | { scheme: 'http' | 'https' | 'ssh'; url: string; host: string; port: number };

/**
 * Takes an address apart, as git will read it: for http and https git gets the URL written out anew, so that it and the filter
 * never understand two different hosts.
 * @throws RepositoryUnreadable, final, for everything that is not one of the forms of {@link RepositoryAddress}
 */
export function parseAddress(address: string): ParsedAddress {
  // eslint-disable-next-line no-control-regex -- URL parsers drop some of these silently
  if (/[\x00-\x1f\x7f]|\p{Surrogate}/u.test(address) || address.length > 2_000) {
    throw refused('the address has characters that no address has, or is too long');
  }
  if (address.startsWith('/')) return { scheme: 'file', path: parsePath(address) };
  if (/[ \\]/.test(address)) throw refused('the address has a space or a backslash');

  const scp = /^([A-Za-z0-9_][A-Za-z0-9._-]*)@([^@/:[\]]+|\[[0-9A-Fa-f:.]+\]):(?!\/\/)([^-].*)$/.exec(address);
  if (scp) return { scheme: 'ssh', url: address, host: parseHost(scp[2]!), port: 22 };

  const url = URL.canParse(address) ? new URL(address) : undefined;
  switch (url?.protocol) {
    case 'file:':
      if (url.host !== '' || !/^file:\/\/\//i.test(address))
        throw refused('a file URL has three slashes: file:///path');
      return { scheme: 'file', path: parsePath(pathOf(url)) };
    case 'http:':
    case 'https:':
      if (url.username || url.password) throw refused('user and password belong beside the address, not into it');
      if (url.search || url.hash) throw refused('the address of a repository has no query and no fragment');
      // curl drops the dot that makes a name absolute, and would not find the pinned address under it.
      url.hostname = url.hostname.replace(/\.$/, '');
      return {
        scheme: url.protocol === 'http:' ? 'http' : 'https',
        url: url.href,
        host: parseHost(url.hostname),
        port: Number(url.port) || (url.protocol === 'http:' ? 80 : 443),
      };
    case 'ssh:':
      if (url.password) throw refused('an SSH address has no password; the service has a key');
      if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(url.username || 'git'))
        throw refused('the user of the address is not a plain name');
      if (url.search || url.hash) throw refused('the address of a repository has no query and no fragment');
      return { scheme: 'ssh', url: url.href, host: parseHost(url.hostname), port: Number(url.port) || 22 };
    default:
      throw refused('the address must be https://, http://, ssh://, git@host:path, file:/// or an absolute path');
  }
}

function parseHost(host: string): string {
  const bare = host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  if (isIP(bare) || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(bare)) return bare;
  throw refused('the address has no valid host name');
}

function parsePath(path: string): string {
  return normalize(path).replace(/(?<=.)\/+$/, '');
}

function pathOf(url: URL): string {
  try {
    const path = fileURLToPath(url);
    if (!path.includes('\0')) return path;
  } catch {
    // Badly encoded: refused below.
  }
  throw refused('the file URL holds no path');
}

function refused(reason: string): RepositoryUnreadable {
  return new RepositoryUnreadable({ transient: false, reason });
}
