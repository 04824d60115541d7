import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { internalError, invalidParameters, Refusal, unavailable, unknownRoute } from '#libs/contracts';
import { isServerAway } from '#libs/messaging';

/** Room is made by people: whoever has something to store need not come back at once. */
const outOfRoomSeconds = 10;

/**
 * What a caller is told about an error that was thrown anywhere in the gateway (trigger-api.md §0.3).
 * @returns the refusal, and whether the error is a fault of ours that belongs in the log
 */
export function answerTo(error: unknown): { refusal: Refusal; crash: boolean } {
  if (error instanceof Refusal) return { refusal: error, crash: false };
  if (isServerAway(error)) return { refusal: unavailable(), crash: false };
  // The caller may come again, and whoever looks after the disk finds it in the log.
  if (isOutOfRoom(error)) return { refusal: unavailable(outOfRoomSeconds), crash: true };
  const status = error instanceof HttpException ? error.getStatus() : fastifyStatus(error);
  if (status === undefined || status >= 500) return { refusal: internalError(), crash: true };
  return { refusal: plainRefusal(status, error), crash: false };
}

/** A disk is full, a quota is used up, or a file may not become larger. */
function isOutOfRoom(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String((error as { code?: unknown } | null | undefined)?.code));
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
