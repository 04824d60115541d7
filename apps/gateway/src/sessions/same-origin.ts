import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request that a browser made came from a page of this site. Browsers say so in `Sec-Fetch-Site` where the site is reached by https
 * or is on their own machine, else `Origin` tells. Neither can be set by a page; a request that has neither did not come from one.
 *
 * @param externalUrl of this installation; a page may also have been reached by the address that the request names itself
 */
export function isSameOrigin(headers: IncomingHttpHeaders, externalUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = headers;
  if (origin === undefined) return false;
  return origin === new URL(externalUrl).origin || (host !== undefined && origin === `http://${host}`);
}

/** Whether a page of another site made it: what programs send names no site at all. */
export function isCrossOrigin(headers: IncomingHttpHeaders, externalUrl: string): boolean {
  const namesSite = headers['sec-fetch-site'] !== undefined || headers.origin !== undefined;
  return namesSite && !isSameOrigin(headers, externalUrl);
}
