import fc from 'fast-check';
import { acceptedSize, contentRange, offsetAfterRefusal } from './content-range.js';

test('first and last byte, inclusive', () => {
  expect(contentRange(1024, 1024)).toBe('1024-2047');
  expect(contentRange(0, 1)).toBe('0-0');
});

test.each([
  ['0-1024', 1024],
  ['0-0', 0],
  [' 0-7 ', 7],
  [undefined, undefined],
  ['', undefined],
  ['5-7', undefined],
  ['0-', undefined],
  ['0--1', undefined],
  ['0-9999999999999999999', undefined],
])('Range %j tells the size %j', (header, size) => {
  expect(acceptedSize(header)).toBe(size);
});

test.each([
  ['behind', '0-100', 200, 300, 100],
  ['ahead, an answer was lost', '0-250', 200, 300, 250],
  ['without a size', undefined, 200, 300, 0],
  ['more than the log holds', '0-301', 200, 300, 200],
])('after a 416: %s', (_name, header, offset, size, next) => {
  expect(offsetAfterRefusal(header, offset, size)).toBe(next);
});

test('consecutive chunks cover the log without gap or overlap', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (lengths) => {
      let offset = 0;
      let expected = 0;
      for (const length of lengths) {
        const [first, last] = contentRange(offset, length).split('-').map(Number);
        expect(first).toBe(expected);
        expected = last! + 1;
        offset += length;
      }
      expect(expected).toBe(lengths.reduce((sum, length) => sum + length, 0));
    }),
  );
});
