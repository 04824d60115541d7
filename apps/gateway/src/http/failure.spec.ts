import { ForbiddenException, InternalServerErrorException, NotFoundException } from '@nestjs/common';
import { notFound, tooManyRequests } from '#libs/contracts';
import { PublishFailed, RequestTimeout } from '#libs/messaging';
import { answerTo } from './failure.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error('something'), { code, ...more });

it.each<[string, unknown, number, object, boolean]>([
  ['a refusal', notFound(), 404, { message: '404 Not found' }, false],
  ['a refusal with headers', tooManyRequests(1), 429, tooManyRequests(1).body, false],
  ['no answer', new RequestTimeout('a', 1), 503, { message: '503 Service Unavailable' }, false],
  ['no database', coded('57P01'), 503, { message: '503 Service Unavailable' }, false],
  ['no broker', new PublishFailed('away', 'a', []), 503, { message: '503 Service Unavailable' }, false],
  ['a full disk', coded('ENOSPC'), 503, { message: '503 Service Unavailable' }, true],
  ['Nest’s 404', new NotFoundException(), 404, { error: '404 Not Found' }, false],
  ['Nest’s 403', new ForbiddenException('secret'), 403, { error: '403 Forbidden' }, false],
  ['Nest’s 500', new InternalServerErrorException(), 500, { message: '500 Internal Server Error' }, true],
  ['Fastify’s 414', coded('FST_ERR_MAX_PARAM_LENGTH', { statusCode: 414 }), 414, { error: '414 URI Too Long' }, false],
  [
    'Fastify’s 500',
    coded('FST_ERR_BAD_STATUS_CODE', { statusCode: 500 }),
    500,
    { message: '500 Internal Server Error' },
    true,
  ],
  ['somebody’s statusCode', coded('OTHER', { statusCode: 404 }), 500, { message: '500 Internal Server Error' }, true],
  ['an error', new TypeError('a'), 500, { message: '500 Internal Server Error' }, true],
  ['nothing', undefined, 500, { message: '500 Internal Server Error' }, true],
  ['null', null, 500, { message: '500 Internal Server Error' }, true],
])('%s', (_, error, status, body, crash) => {
  const answer = answerTo(error);
  expect({ status: answer.refusal.status, body: answer.refusal.body, crash: answer.crash }).toEqual({
    status,
    body,
    crash,
  });
});
