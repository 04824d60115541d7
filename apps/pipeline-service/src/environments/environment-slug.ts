import { createHash } from 'node:crypto';

const longest = 24;
const longestStart = 17;
const suffixLength = 6;

/**
 * GitLab's `CI_ENVIRONMENT_SLUG`: a name as a part of host names. It begins with a letter, and names that are not their own slug get a suffix,
 * lest two environments share one. Pure.
 */
export function environmentSlug(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '-');
  const slug = (/^[a-z]/.test(plain) ? plain : `env-${plain}`).replace(/-+/g, '-');
  if (slug.length <= longest && slug === name) return slug.replace(/-$/, '');
  const start = slug.slice(0, longestStart);
  return `${start}${start.endsWith('-') ? '' : '-'}${suffixOf(name)}`;
}

function suffixOf(name: string): string {
  const digest = BigInt(`0x${createHash('sha256').update(name).digest('hex')}`);
  return digest.toString(36).slice(-suffixLength);
}
