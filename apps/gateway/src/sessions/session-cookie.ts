/**
 * What the cookie of a session is called. Where the site is reached by https its prefix has browsers refuse one that came over http, that is
 * for other hosts as well, or for a part of the site only.
 *
 * @param externalUrl of this installation
 */
export function sessionCookieName(externalUrl: string): string {
  return isSecure(externalUrl) ? '__Host-flagfall_session' : 'flagfall_session';
}

/**
 * The secret of the session that a browser sent.
 * @param header `Cookie` of the request
 * @returns undefined where there is none
 */
export function readSessionCookie(header: string | undefined, externalUrl: string): string | undefined {
  if (header === undefined) return undefined;
  const name = `${sessionCookieName(externalUrl)}=`;
  const pair = header.split(';').find((each) => each.trimStart().startsWith(name));
  return pair?.trim().slice(name.length) || undefined;
}

/**
 * The value of `Set-Cookie` that gives a browser its session.
 * @param expiresAt when it ends, by the clock of `now`
 */
export function writeSessionCookie(secret: string, expiresAt: Date, now: Date, externalUrl: string): string {
  return cookie(secret, Math.max(1, Math.floor((expiresAt.getTime() - now.getTime()) / 1000)), externalUrl);
}

/** The value of `Set-Cookie` that takes it away. */
export function clearSessionCookie(externalUrl: string): string {
  return cookie('', 0, externalUrl);
}

function cookie(value: string, maxAge: number, externalUrl: string): string {
  const attributes = ['HttpOnly', 'SameSite=Strict', 'Path=/', `Max-Age=${maxAge}`];
  return [
    `${sessionCookieName(externalUrl)}=${value}`,
    ...attributes,
    ...(isSecure(externalUrl) ? ['Secure'] : []),
  ].join('; ');
}

function isSecure(externalUrl: string): boolean {
  return externalUrl.startsWith('https:');
}
