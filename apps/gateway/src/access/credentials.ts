import type { IncomingHttpHeaders } from 'node:http';

/** What a caller presented: an access token, or a CI job's token. */
export interface Credentials {
  kind: 'access token' | 'job token';
  token: string;
}

/**
 * Finds the credentials of a request (trigger-api.md §3.1). Blank ones count as none. The first that is given decides, even when it turns
 * out to be no good.
 *
 * @param parameters the merged parameters of query and body
 * @param jobTokens whether the endpoint takes `JOB-TOKEN` and `job_token`; elsewhere they are not looked at
 */
export function findCredentials(
  headers: IncomingHttpHeaders,
  parameters: Readonly<Record<string, unknown>>,
  jobTokens: boolean,
): Credentials | undefined {
  const jobToken = jobTokens ? (given(parameters.job_token) ?? given(headers['job-token'])) : undefined;
  if (jobToken) return { kind: 'job token', token: jobToken };
  const token =
    given(parameters.private_token) ??
    given(headers['private-token']) ??
    given(parameters.access_token) ??
    fromAuthorization(headers.authorization);
  return token ? { kind: 'access token', token } : undefined;
}

function given(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

/** `Bearer <token>`, or `Basic` with the token as the password of whatever user. */
function fromAuthorization(header: string | undefined): string | undefined {
  const [, scheme = '', rest = ''] = /^(\S+) +(\S+) *$/.exec(header ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return rest;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const decoded = Buffer.from(rest, 'base64').toString();
  return given(decoded.slice(decoded.indexOf(':') + 1));
}
