import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hasWritableYear } from './parameter-values.js';

/**
 * Gives a handler the time of the header `If-Unmodified-Since` as ISO 8601; null without one, and for what is no date, which GitLab ignores too
 * (trigger-api.md §2.2).
 */
export const UnmodifiedSince = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const header = context.switchToHttp().getRequest<FastifyRequest>().headers['if-unmodified-since'];
  const time = new Date(header ?? NaN);
  return hasWritableYear(time) ? time.toISOString() : null;
});
