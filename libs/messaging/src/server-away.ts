import { types } from 'node:util';
import { PublishFailed, RequestTimeout } from './bus.js';

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

/** Whether an error means that nobody has answered or taken what was sent by the bus; another time somebody may. */
export function isUnanswered(error: unknown): error is RequestTimeout | PublishFailed {
  return error instanceof RequestTimeout || error instanceof PublishFailed;
}

/**
 * Whether an error means that a server which is needed cannot be reached or does not answer, rather than that something was wrong with what was asked: the
 * broker, another service, or PostgreSQL. Whoever asked may ask again.
 */
export function isServerAway(error: unknown): boolean {
  return isUnanswered(error) || isDatabaseAway(error);
}

function isDatabaseAway(error: unknown): boolean {
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
