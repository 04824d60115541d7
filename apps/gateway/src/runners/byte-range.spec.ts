import { readRange } from './byte-range.js';

it.each<[string | undefined, ReturnType<typeof readRange>]>([
  [undefined, undefined],
  ['', undefined],
  ['lines=1-2', undefined],
  ['bytes=-', undefined],
  ['bytes=1-2,4-5', undefined],
  ['bytes=7-3', undefined],
  ['bytes=1e3-', undefined],
  ['bytes=0-', { start: 0, end: 9 }],
  ['bytes=3-', { start: 3, end: 9 }],
  ['bytes=3-5', { start: 3, end: 5 }],
  ['bytes=3-500', { start: 3, end: 9 }],
  ['bytes=-4', { start: 6, end: 9 }],
  ['bytes=-400', { start: 0, end: 9 }],
  ['bytes=-0', 'beyond'],
  ['bytes=10-', 'beyond'],
])('%s of ten bytes', (header, expected) => expect(readRange(header, 10)).toEqual(expected));

it('of nothing there is no part', () => {
  expect(readRange('bytes=0-', 0)).toBe('beyond');
  expect(readRange('bytes=-1', 0)).toBe('beyond');
});
