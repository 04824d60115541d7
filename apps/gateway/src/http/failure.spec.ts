import { ForbiddenException, InternalServerErrorException, NotFoundException } from '@nestjs/common';
import { notFound, tooManyRequests } from '#libs/contracts';
import { PublishFailed, RequestTimeout } from '#libs/messaging';
import { answerTo } from './failure.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error('something'), { code, ...more });

it.each<[string, unknown, number, object, boolean]>([
  ['a refusal', notFound(), 404, { message: '404 Not found' }, false],
  ['a refusal with headers', tooManyRequests(1), 429, tooManyRequests(1).body, false],
  ['no answer', new RequestTimeout('a', 1), 503, { message: '503 Service Unavailable' }, false],
  ['no broker', new PublishFailed('away', 'a', []), 503, { message: '503 Service Unavailable' }, false],
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

it.each<[string, unknown, boolean]>([
  ['refused', coded('ECONNREFUSED'), true],
  ['two addresses refused', new AggregateError([coded('ECONNREFUSED')]), true],
  ['socket file gone', coded('ENOENT', { syscall: 'connect' }), true],
  ['another file gone', coded('ENOENT', { syscall: 'open' }), false],
  ['shutting down', coded('57P01'), true],
  ['starting up', coded('57P03'), true],
  ['too many connections', coded('53300'), true],
  ['connection failure', coded('08006'), true],
  ['inside TypeORM’s error', Object.assign(new Error('x'), { driverError: coded('57P01') }), true],
  ['without a code', new Error('Connection terminated unexpectedly'), true],
  ['as the cause', new Error('could not be recorded', { cause: coded('57P01') }), true],
  ['pool', new Error('timeout exceeded when trying to connect'), true],
  ['query cancelled', coded('57014'), false],
  ['unknown table', coded('42P01'), false],
  ['unique', coded('23505'), false],
])('the database is away or not: %s', (_, error, away) => {
  expect(answerTo(error).refusal.status).toBe(away ? 503 : 500);
});
