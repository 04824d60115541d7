import { expiry } from './artifact-expiry.js';

const now = new Date('2026-01-01T00:00:00Z');

it.each<[string | null, string | null]>([
  ['1 week', '2026-01-08T00:00:00.000Z'],
  ['30 mins', '2026-01-01T00:30:00.000Z'],
  ['3600', '2026-01-01T01:00:00.000Z'],
  ['never', null],
  [' Never ', null],
  ['0', null],
  [null, '2026-01-31T00:00:00.000Z'],
  ['', '2026-01-31T00:00:00.000Z'],
  ['whenever', '2026-01-31T00:00:00.000Z'],
])('%p', (expireIn, expected) => {
  expect(expiry(expireIn, now)?.toISOString() ?? null).toBe(expected);
});
