import { bytes, duration, timeAgo } from './format.js';

const now = Date.parse('2026-11-28T12:00:00Z');

test.each([
  ['2026-11-28T11:59:30Z', 'just now'],
  ['2026-11-28T12:00:20Z', 'just now'],
  ['2026-11-28T11:58:00Z', '2 minutes ago'],
  ['2026-11-28T09:30:00Z', '2 hours ago'],
  ['2026-11-27T11:00:00Z', 'yesterday'],
  ['2026-11-30T13:00:00Z', 'in 2 days'],
  ['2025-01-01T00:00:00Z', 'last year'],
])('%s was %s', (time, words) => {
  expect(timeAgo(time, now)).toBe(words);
});

test.each([
  [0, '00:00:00'],
  [65.9, '00:01:05'],
  [360_001, '100:00:01'],
  [-1, '00:00:00'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  [12, '12 bytes'],
  [2048, '2.0 KiB'],
  [5_300_000, '5.1 MiB'],
])('%d bytes are %s', (count, text) => {
  expect(bytes(count)).toBe(text);
});
