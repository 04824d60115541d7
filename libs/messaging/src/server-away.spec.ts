import { PublishFailed, RequestTimeout } from './bus.js';
import { isServerAway } from './server-away.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error('something'), { code, ...more });

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
  ['nothing', undefined, false],
  ['a service that does not answer', new RequestTimeout('a', 1), true],
  ['no broker', new PublishFailed('away', 'a', []), true],
])('a server is away or not: %s', (_, error, away) => expect(isServerAway(error)).toBe(away));
