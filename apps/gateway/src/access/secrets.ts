import { createHash, randomBytes } from 'node:crypto';

/** Tokens have full entropy, so a fast hash is right: it is looked up, never guessed (architecture.md §5.1). */
export function hashSecret(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * `glpat` an access token, `glptt` a trigger token, `glrt` the token of a runner that somebody made, `glrtr` of one that registered itself, `glcbt` a
 * job's. Logs of GitLab's runner mask these prefixes; by `glrt` it knows what to do at its end (runner-api.md §1.1). `GR1348941` is for registration.
 */
export type SecretKind = 'glpat' | 'glptt' | 'glrt' | 'glrtr' | 'glcbt' | 'GR1348941';

/**
 * A new secret. Trigger tokens are 40 lower-case hex digits (trigger-api.md §2.3), the others as many URL-safe characters as GitLab's; a
 * runner's first nine name its directories and are random like the rest (runner-api.md §1.1).
 *
 * @param random replaceable for tests
 */
export function newSecret(kind: SecretKind, random: (bytes: number) => Buffer = randomBytes): string {
  return `${kind}-${kind === 'glptt' ? random(20).toString('hex') : random(20).toString('base64url')}`;
}

/** The four characters of a trigger token that everyone may see (trigger-api.md §2.3). */
export function visibleCharacters(token: string): string {
  return token.replace(/^glptt-/, '').slice(0, 4);
}
