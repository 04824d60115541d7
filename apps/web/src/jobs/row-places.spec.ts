import fc from 'fast-check';
import { RowPlaces } from './row-places.js';

const height = 18;

test('rows stand one below the other, whatever their heights', () => {
  const rows = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 70 });
  fc.assert(
    fc.property(rows, fc.integer({ min: -10, max: 7_000 }), (heights, place) => {
      const places = new RowPlaces(height);
      places.reset(heights.length);
      for (const [row, each] of heights.entries()) expect(places.measured(row, each)).toBe(each - height);
      const tops = heights.map((_, row) => heights.slice(0, row).reduce((sum, each) => sum + each, 0));
      expect(heights.map((_, row) => places.top(row))).toEqual(tops);
      expect(places.total).toBe(heights.reduce((sum, each) => sum + each, 0));
      expect(places.rowAt(place)).toBe(
        Math.max(
          0,
          tops.findLastIndex((top) => top <= place),
        ),
      );
    }),
  );
});

test('a row that is measured again counts once, and none are none', () => {
  const places = new RowPlaces(height);
  expect([places.total, places.rowAt(100)]).toEqual([0, 0]);
  places.reset(3);
  places.measured(1, 40);
  expect(places.measured(1, 30)).toBe(-10);
  expect(places.measured(1, 30)).toBe(0);
  expect(places.total).toBe(66);
  places.reset(2);
  expect(places.total).toBe(36);
});
