import { parseDuration } from '#libs/ci-config';

/** GitLab's: artifacts whose job says nothing about it. */
const usualSeconds = 30 * 86_400;

/**
 * When an artifact goes. What is no duration was refused when the file was compiled; a runner that sends one of its own gets the usual time.
 * @param expireIn as written: `1 week`, `never`; `0` is never, too, as in GitLab
 * @returns null for never
 */
export function expiry(expireIn: string | null | undefined, now: Date): Date | null {
  const written = expireIn?.trim().toLowerCase() ?? '';
  if (written === 'never') return null;
  const seconds = written === '' ? usualSeconds : (parseDuration(written) ?? usualSeconds);
  return seconds === 0 ? null : new Date(now.getTime() + seconds * 1000);
}
