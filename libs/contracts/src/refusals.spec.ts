import type { Refusal } from './refusal.js';
import * as refusals from './refusals.js';

const expired = 'Token is expired. You can either do re-authorization or token refresh.';
const revoked = 'Token was revoked. You have to re-authorize from the user.';
const tooLittle = 'The request requires higher privileges than provided by the access token.';
const challenge = (description: string) => ({
  'WWW-Authenticate': `Bearer realm="The API", error="invalid_token", error_description="${description}"`,
});

type Name = keyof typeof refusals;
const all = { ...refusals } as Record<Name, (...args: unknown[]) => Refusal>;

/** The catalogue, as callers see it: trigger-api.md §0.3, §1.9, §3.2. */
const catalogue: [name: Name, args: unknown[], status: number, body: object, headers?: Record<string, string>][] = [
  ['invalidParameters', ['ref is missing', 'ref is empty'], 400, { error: 'ref is missing, ref is empty' }],
  ['invalid', [{ base: ['Reference not found'] }], 400, { message: { base: ['Reference not found'] } }],
  ['badRequest', [], 400, { message: '400 Bad request' }],
  ['badRequest', ['Unplayable Job'], 400, { message: '400 Bad request - Unplayable Job' }],
  ['refusedRequest', ['variables needs to be a map'], 400, { message: 'variables needs to be a map' }],
  ['unauthorized', [], 401, { message: '401 Unauthorized' }],
  ['unauthorized', ['Job is not running'], 401, { message: 'Job is not running' }],
  ['tokenExpired', [], 401, { error: 'invalid_token', error_description: expired }, challenge(expired)],
  ['tokenRevoked', [], 401, { error: 'invalid_token', error_description: revoked }, challenge(revoked)],
  ['insufficientScope', [['api']], 403, { error: 'insufficient_scope', error_description: tooLittle, scope: 'api' }],
  ['forbidden', [], 403, { message: '403 Forbidden' }],
  ['forbidden', ['Job is not retryable'], 403, { message: '403 Forbidden - Job is not retryable' }],
  ['userBlocked', [], 403, { message: '403 Forbidden - Your account has been blocked.' }],
  ['thingNotFound', ['Job'], 404, { message: '404 Job Not Found' }],
  ['projectNotFound', [], 404, { message: '404 Project Not Found' }],
  ['notFound', [], 404, { message: '404 Not found' }],
  ['nothingHere', [], 404, { message: '404 Not Found' }],
  ['orphanedRunner', [], 422, { message: '422 Unprocessable Entity - Runner is orphaned' }],
  [
    'registrationGone',
    [],
    410,
    { message: '410 Gone - runner registration disallowed: create the runner with POST /user/runners' },
  ],
  ['unknownRoute', [], 404, { error: '404 Not Found' }],
  ['methodNotAllowed', [['GET', 'HEAD']], 405, { error: '405 Not Allowed' }, { Allow: 'GET, HEAD' }],
  ['movedProject', [], 405, { message: 'Non GET methods are not allowed for moved projects' }],
  ['bodyTooSlow', [60], 408, { error: 'The request body did not arrive within 60 seconds' }],
  ['conflict', [], 409, { message: '409 Conflict: Resource lock' }],
  ['versionGone', [], 410, { error: 'API V3 is no longer supported. Use API V4 instead.' }],
  [
    'registrationGone',
    [],
    410,
    { message: '410 Gone - runner registration disallowed: create the runner with POST /user/runners' },
  ],
  ['preconditionFailed', [], 412, { message: '412 Precondition Failed' }],
  ['bodyTooLarge', [1024], 413, { error: 'The request body is larger than 1024 bytes' }],
  [
    'artifactTooLarge',
    [1024],
    413,
    { message: '413 Request Entity Too Large - the artifact is larger than 1024 bytes' },
  ],
  ['tooLargeForJobs', [1024], 413, { error: 'The variables and the payload are larger than 1024 bytes together' }],
  ['unsupportedContentType', ['a/b'], 415, { error: "The provided content-type 'a/b' is not supported." }],
  ['unprocessable', [{ base: ['jobs config is invalid'] }], 422, { message: { base: ['jobs config is invalid'] } }],
  ['unprocessable', ['Could not create pipeline'], 422, { message: 'Could not create pipeline' }],
  [
    'tooManyRequests',
    [1.2, { 'RateLimit-Limit': '60' }],
    429,
    { message: { error: 'This endpoint has been requested too many times. Try again later.' } },
    { 'Retry-After': '2', 'RateLimit-Limit': '60' },
  ],
  ['internalError', [], 500, { message: '500 Internal Server Error' }],
  ['unavailable', [], 503, { message: '503 Service Unavailable' }, { 'Retry-After': '5' }],
  ['unavailable', [0.3], 503, { message: '503 Service Unavailable' }, { 'Retry-After': '1' }],
];

it.each(catalogue)('%s(%j) → %i', (name, args, status, body, headers = {}) => {
  const refusal = all[name](...args);
  expect({ status: refusal.status, body: refusal.body, headers: refusal.headers }).toEqual({ status, body, headers });
});

it('names every refusal there is', () => {
  expect([...new Set(catalogue.map(([name]) => name))].sort()).toEqual(Object.keys(refusals).sort());
});

it('never answers in both families at once', () => {
  for (const [name, , , body] of catalogue)
    expect({ name, both: 'message' in body && 'error' in body }).toEqual({ name, both: false });
});
