import { expiryProblem } from './expiry.js';

const now = new Date('2026-03-31T23:59:59.999Z');

test.each([
  ['2027-03-30T23:59:59.999Z', undefined],
  ['2027-03-31T00:00:00.000Z', 'must be before 2027-03-31'],
  ['9999-12-31T00:00:00.000Z', 'must be before 2027-03-31'],
  ['2026-03-31T00:00:00.000Z', undefined],
  ['1999-01-01T00:00:00.000Z', undefined],
])('a token that ends at %s: %s', (expiresAt, problem) => {
  expect(expiryProblem(new Date(expiresAt), now)).toBe(problem);
});
