import { realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import type { RepositoryRules } from '../config.js';
import { parseAddress, type RepositoryAddress } from '../repositories/repository-address.js';
import { RepositoryUnreadable } from '../repositories/repository-errors.js';

/** What `import_url` becomes: an address to show, and what opens it, to be sealed. */
export interface ImportAddress {
  url: string;
  credentials: NonNullable<RepositoryAddress['credentials']> | null;
}

/** Takes user and password out of an http(s) URL. Everything else stays as it is; whether it is an address at all is asked later. */
export function splitImportUrl(importUrl: string): ImportAddress {
  const given = importUrl.trim();
  const url = /^https?:\/\//i.test(given) ? URL.parse(given) : null;
  if (!url || (url.username === '' && url.password === '')) return { url: given, credentials: null };
  const credentials = { username: decode(url.username), password: decode(url.password) };
  url.username = '';
  url.password = '';
  return { url: url.href, credentials };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Whether somebody may name this local path: administrators any, others what lies below REPOSITORY_ROOTS, and nobody what lies in a
 * forbidden directory, unless a root within that directory opens it, as the demo's does (architecture.md §4). Symbolic links are followed
 * first. Addresses that are not local pass.
 *
 * @throws RepositoryUnreadable, final, when they may not, or when the address is none
 */
export async function checkLocalPath(
  url: string,
  admin: boolean,
  rules: Pick<RepositoryRules, 'roots' | 'forbiddenRoots'>,
): Promise<void> {
  const address = parseAddress(url);
  if (address.scheme !== 'file') return;
  const path = await realPath(address.path);
  const roots = await Promise.all(rules.roots.map(realPath));
  for (const forbidden of await Promise.all(rules.forbiddenRoots.map(realPath))) {
    const opened = roots.some((root) => isWithin(root, forbidden) && isWithin(path, root));
    if (isWithin(path, forbidden) && !opened) throw refused('repositories of the server itself cannot be used');
  }
  if (!admin && !roots.some((root) => isWithin(path, root)))
    throw refused('only administrators may use a path on the server that is not below REPOSITORY_ROOTS');
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/** With links resolved as far as the path exists. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPath(parent), basename(path));
  }
}

function refused(reason: string): RepositoryUnreadable {
  return new RepositoryUnreadable({ transient: false, reason });
}
