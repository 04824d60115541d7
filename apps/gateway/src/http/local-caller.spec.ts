import type { Socket } from 'node:net';
import { isOfThisMachine } from './local-caller.js';

it.each([
  ['127.0.0.1', {}, true],
  ['127.8.9.10', {}, true],
  ['::1', {}, true],
  ['::ffff:127.0.0.1', {}, true],
  ['10.0.0.127', {}, false],
  ['::ffff:192.0.2.1', {}, false],
  ['2001:db8::1', {}, false],
  ['127.0.0.1', { 'x-forwarded-for': '192.0.2.1' }, false],
  ['127.0.0.1', { 'x-forwarded-for': '127.0.0.1' }, false],
  ['::1', { forwarded: 'for=192.0.2.1' }, false],
  ['127.0.0.1', { via: '1.1 proxy' }, false],
  ['127.0.0.1', { 'x-real-ip': '' }, false],
  [undefined, {}, false],
])('a caller at %s with %j', (remoteAddress, headers, expected) => {
  expect(isOfThisMachine({ socket: { remoteAddress } as Socket, headers })).toBe(expected);
});
