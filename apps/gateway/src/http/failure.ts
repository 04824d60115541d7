import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { types } from 'node:util';
import { internalError, invalidParameters, Refusal, unavailable, unknownRoute } from '#libs/contracts';
import { PublishFailed, RequestTimeout } from '#libs/messaging';

/**
 * What a caller is told about an error that was thrown anywhere in the gateway (trigger-api.md §0.3).
 * @returns the refusal, and whether the error is a fault of ours that belongs in the log
 */
export function answerTo(error: unknown): { refusal: Refusal; crash: boolean } {
  if (error instanceof Refusal) return { refusal: error, crash: false };
  if (error instanceof RequestTimeout || error instanceof PublishFailed || isDatabaseAway(error))
    return { refusal: unavailable(), crash: false };
  const status = error instanceof HttpException ? error.getStatus() : fastifyStatus(error);
  if (status === undefined || status >= 500) return { refusal: internalError(), crash: true };
  return { refusal: plainRefusal(status, error), crash: false };
}

/** Fastify's own errors carry a code; anything else with a `statusCode` on it is not to be believed. */
function fastifyStatus(error: unknown): number | undefined {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : undefined;
}

function plainRefusal(status: number, error: unknown): Refusal {
  if ((error as { code?: string }).code === 'FST_ERR_BAD_URL')
    return invalidParameters('The URL is not properly percent-encoded');
  if (status === 404) return unknownRoute();
  return new Refusal(status, { error: `${status} ${STATUS_CODES[status] ?? 'Refused'}` });
}

/** PostgreSQL: connection exceptions, insufficient resources, operator intervention. */
const awayClasses = /^(?:08|53|57P)/;
const awayCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

/** The driver and its pool give these no code. */
const awayTexts =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout)/;

/** Whether an error of the database means that it cannot be reached, rather than that a statement was wrong. */
export function isDatabaseAway(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  // A refused connection to a name with two addresses, and TypeORM's wrapper around what the driver said.
  const { code, driverError, syscall, errors, cause } = error as Partial<
    Record<'code' | 'driverError' | 'syscall' | 'errors' | 'cause', unknown>
  >;
  if (Array.isArray(errors)) return errors.some(isDatabaseAway);
  // Such as that of a trigger request which could not be recorded.
  if (cause !== undefined && isDatabaseAway(cause)) return true;
  if (driverError !== undefined && driverError !== error && isDatabaseAway(driverError)) return true;
  // The socket file of a local server that is not there; any other missing file is a fault of ours.
  if (code === 'ENOENT' && syscall === 'connect') return true;
  if (typeof code === 'string' && (awayClasses.test(code) || awayCodes.has(code))) return true;
  return awayTexts.test(error.message);
}
