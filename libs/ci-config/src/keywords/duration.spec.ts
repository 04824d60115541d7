import { parseDuration } from './duration.js';

test.each([
  ['30 minutes', 1_800],
  ['3h 30m', 12_600],
  ['3 hours and 30 minutes', 12_600],
  ['1h30m', 5_400],
  ['1 day', 86_400],
  ['6 mos 1 day', 15_638_400],
  ['1 week, 2 days', 777_600],
  ['3600', 3_600],
  ['1:30:00', 5_400],
  ['1.5 hours', 5_400],
  [' 10 Sec ', 10],
])('%s: %d seconds', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each(['', 'soon', 'never', '10 parsecs', '10 minutes later', '-5', 'minutes'])('"%s" is none', (text) =>
  expect(parseDuration(text)).toBeNull(),
);
