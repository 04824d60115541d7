import { askedPause, describeAnswer } from './coordinator.js';

const now = Date.parse('2026-10-01T10:00:00Z');

test.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': 'Thu, 01 Oct 2026 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Thu, 01 Oct 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': '7', 'ratelimit-resettime': 'Thu, 01 Oct 2026 10:01:00 GMT' }, 60_000],
  [{ 'retry-after': 'later' }, undefined],
  [{}, undefined],
])('%j asks for %j ms', (headers, expected) => {
  expect(askedPause(headers, now)).toBe(expected);
});

test.each([
  ['{"message":"403 Forbidden"}', 'status 403: 403 Forbidden'],
  ['{"message":{"field":["reason"]}}', 'status 403: {"field":["reason"]}'],
  ['{"error":"state is missing"}', 'status 403: state is missing'],
  ['<html>', 'status 403'],
  ['null', 'status 403'],
])('%s is described as %s', (body, expected) => {
  expect(describeAnswer({ status: 403, headers: {}, body: Buffer.from(body) })).toBe(expected);
});
