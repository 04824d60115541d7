import { Refusal } from './refusal.js';

/**
 * GitLab's refusals, word for word (trigger-api.md §0.3, §1, §3.2). Parameter faults carry the key `error`, everything raised later
 * carries `message`, and never both: python-gitlab and gitbeaker disagree about which one to read.
 */

/** One or more faults of the request's parameters; the texts are joined in the given order: `ref is missing, ref is empty`. */
export function invalidParameters(...texts: string[]): Refusal {
  return new Refusal(400, { error: texts.join(', ') });
}

/** A record that breaks rules: attribute → what is wrong with it; `base` stands for the whole. */
export function invalid(problems: Record<string, string[]>): Refusal {
  return new Refusal(400, { message: problems });
}

/** `400 Bad request - <reason>`; without a reason `400 Bad request`. */
export function badRequest(reason?: string): Refusal {
  return new Refusal(400, { message: withReason('400 Bad request', reason) });
}

/** A request that says what is wrong in a plain sentence, such as `variables needs to be a map of key-valued strings`. */
export function refusedRequest(sentence: string): Refusal {
  return new Refusal(400, { message: sentence });
}

/** No credentials, or unknown ones; job tokens give a sentence of their own instead (trigger-api.md §1.7). */
export function unauthorized(sentence = '401 Unauthorized'): Refusal {
  return new Refusal(401, { message: sentence });
}

/** An access token past its `expires_at`. */
export function tokenExpired(): Refusal {
  return invalidToken('Token is expired. You can either do re-authorization or token refresh.');
}

/** An access token that somebody revoked. */
export function tokenRevoked(): Refusal {
  return invalidToken('Token was revoked. You have to re-authorize from the user.');
}

function invalidToken(description: string): Refusal {
  return new Refusal(
    401,
    { error: 'invalid_token', error_description: description },
    { 'WWW-Authenticate': `Bearer realm="The API", error="invalid_token", error_description="${description}"` },
  );
}

/** @param scopes those that would have sufficed */
export function insufficientScope(scopes: readonly string[]): Refusal {
  return new Refusal(403, {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
    scope: scopes.join(' '),
  });
}

/** `403 Forbidden`, or `403 Forbidden - <reason>`. */
export function forbidden(reason?: string): Refusal {
  return new Refusal(403, { message: withReason('403 Forbidden', reason) });
}

/** The user of the credentials is blocked. */
export function userBlocked(): Refusal {
  return forbidden('Your account has been blocked.');
}

/** `404 <what> Not Found`: the thing the whole endpoint is about is missing, or the caller may not know of it. */
export function thingNotFound(what: string): Refusal {
  return new Refusal(404, { message: `404 ${what} Not Found` });
}

/** No such project, or one the caller may not read: on every endpoint but the trigger endpoint. */
export function projectNotFound(): Refusal {
  return thingNotFound('Project');
}

/** The project is readable, but it has no such trigger, pipeline or job: small *f*. */
export function notFound(): Refusal {
  return new Refusal(404, { message: '404 Not found' });
}

/** The trigger endpoint, for an unknown project, an unknown token and another project's token alike; a job without artifacts: capital *F*. */
export function nothingHere(): Refusal {
  return new Refusal(404, { message: '404 Not Found' });
}

/** No such route. */
export function unknownRoute(): Refusal {
  return new Refusal(404, { error: '404 Not Found' });
}

/** The route exists, for other methods. */
export function methodNotAllowed(allowed: readonly string[]): Refusal {
  return new Refusal(405, { error: '405 Not Allowed' }, { Allow: allowed.join(', ') });
}

/** A write through a project's former path. */
export function movedProject(): Refusal {
  return new Refusal(405, { message: 'Non GET methods are not allowed for moved projects' });
}

/** @param seconds how long the body was waited for */
export function bodyTooSlow(seconds: number): Refusal {
  return new Refusal(408, { error: `The request body did not arrive within ${seconds} seconds` });
}

/** Someone else holds or changed the thing: `409 Conflict: <reason>`. */
export function conflict(reason = 'Resource lock'): Refusal {
  return new Refusal(409, { message: `409 Conflict: ${reason}` });
}

/** Everything below `/api/v3`. */
export function versionGone(): Refusal {
  return new Refusal(410, { error: 'API V3 is no longer supported. Use API V4 instead.' });
}

/** Registration tokens are switched off (runner-api.md §1.3). */
export function registrationGone(): Refusal {
  return new Refusal(410, {
    message: '410 Gone - runner registration disallowed: create the runner with POST /user/runners',
  });
}

/** `If-Unmodified-Since` names a time before the last change. */
export function preconditionFailed(): Refusal {
  return new Refusal(412, { message: '412 Precondition Failed' });
}

/** @param bytes what would have been accepted */
export function bodyTooLarge(bytes: number): Refusal {
  return new Refusal(413, { error: `The request body is larger than ${bytes} bytes` });
}

/** In the words that gitlab-runner shows to whoever reads the log. @param bytes what would have been accepted */
export function artifactTooLarge(bytes: number): Refusal {
  return new Refusal(413, { message: `413 Request Entity Too Large - the artifact is larger than ${bytes} bytes` });
}

/** @param bytes what variables and payload of a trigger request may take together, written as JSON */
export function tooLargeForJobs(bytes: number): Refusal {
  return new Refusal(413, { error: `The variables and the payload are larger than ${bytes} bytes together` });
}

/** A body in a form that is not read here. */
export function unsupportedContentType(type: string): Refusal {
  return new Refusal(415, { error: `The provided content-type '${type}' is not supported.` });
}

/** Stored, but failed: the caller can look the reason up later. */
export function unprocessable(message: string | Record<string, string[]>): Refusal {
  return new Refusal(422, { message });
}

/** A runner whose projects are no more (runner-api.md §1.4, §2.2): it goes on asking, and its operator reads why. */
export function orphanedRunner(): Refusal {
  return unprocessable('422 Unprocessable Entity - Runner is orphaned');
}

/** @param retryAfter whole seconds: python-gitlab reads the header with `int()` */
export function tooManyRequests(retryAfter: number, headers: Record<string, string> = {}): Refusal {
  return new Refusal(
    429,
    { message: { error: 'This endpoint has been requested too many times. Try again later.' } },
    { ...headers, 'Retry-After': String(Math.ceil(retryAfter)) },
  );
}

/** Something broke that the caller can do nothing about. */
export function internalError(): Refusal {
  return new Refusal(500, { message: '500 Internal Server Error' });
}

/**
 * A part that is needed does not answer.
 * @param retryAfter seconds; sent as a whole number
 */
export function unavailable(retryAfter = 5): Refusal {
  return new Refusal(
    503,
    { message: '503 Service Unavailable' },
    { 'Retry-After': String(Math.max(1, Math.ceil(retryAfter))) },
  );
}

function withReason(sentence: string, reason: string | undefined): string {
  return reason === undefined ? sentence : `${sentence} - ${reason}`;
}
