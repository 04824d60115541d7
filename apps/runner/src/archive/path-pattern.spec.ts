import fc from 'fast-check';
import { PathPattern } from './path-pattern.js';

const matches = (pattern: string, path: string) => PathPattern.parse(pattern).some((one) => one.matches(path));

test.each([
  ['dist', 'dist', true],
  ['dist', 'dist/a', false],
  ['dist/', 'dist', true],
  ['*.txt', 'a.txt', true],
  ['*.txt', '.txt', true],
  ['*.txt', 'b/a.txt', false],
  ['*', '.hidden', true],
  ['a?c', 'abc', true],
  ['a?c', 'aéc', true],
  ['a?c', 'ac', false],
  ['**/*.o', 'x.o', true],
  ['**/*.o', 'a/b/x.o', true],
  ['a/**/z', 'a/z', true],
  ['a/**/z', 'a/b/c/z', true],
  ['a/**/z', 'b/a/z', false],
  ['a/**', 'a/b/c', true],
  ['a/**', 'a', true],
  ['a**b', 'axxb', true],
  ['a**b', 'a/b', false],
  ['[a-c]x', 'bx', true],
  ['[a-c]x', 'dx', false],
  ['[!a-c]x', 'dx', true],
  ['[^a]x', 'ax', false],
  ['[]]', ']', true],
  ['[ab', '[ab', true],
  ['{a,b}/c', 'b/c', true],
  ['{a,b}/c', 'c/c', false],
  ['x.{js,{ts,tsx}}', 'x.tsx', true],
  ['{a,}b', 'b', true],
  ['{a', '{a', true],
  ['\\*', '*', true],
  ['\\*', 'x', false],
  ['a+(b)', 'a+(b)', true],
  ['*a*a*b', 'xaxab', true],
])('%j and %j: %s', (pattern, path, expected) => {
  expect(matches(pattern, path)).toBe(expected);
});

test('no pattern takes long, however it is made', () => {
  expect(matches('*a'.repeat(200), 'a'.repeat(5000) + 'b')).toBe(false);
  expect(matches('**/'.repeat(200) + 'x', Array.from({ length: 400 }, () => 'a').join('/'))).toBe(false);
  expect(PathPattern.parse('{a,b}'.repeat(30))).toHaveLength(1);
});

test('a path matches the pattern that is its text', () => {
  const name = fc
    .array(fc.constantFrom(...'abc*?[]{},\\!-'), { minLength: 1, maxLength: 6 })
    .map((letters) => letters.join(''));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
      const path = names.join('/');
      expect(matches(path.replaceAll(/[^/a-z]/g, '\\$&'), path)).toBe(true);
    }),
  );
});
