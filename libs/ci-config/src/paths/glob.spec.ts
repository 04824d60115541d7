import { anyMatches, compileExistsPattern, compileGlob } from './glob.js';

// ci-config.md §2.4, table.
test.each([
  ['*.md', 'README.md', true],
  ['*.md', 'doc/a.md', false],
  ['doc/*', 'doc/x/a.md', false],
  ['**/*.md', 'README.md', true],
  ['**/*.md', 'a/b/c.md', true],
  ['**/*', '.github/x.yml', true],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['doc/', 'doc/a.md', false],
  ['doc', 'doc/a.md', false],
  ['{a,b}/*.rb', 'b/x.rb', true],
  ['src/**/*.{js,ts}', 'src/a/b.ts', true],
  ['{a,{b,c}}.txt', 'c.txt', true],
  ['[ab].txt', 'a.txt', true],
  ['[!ab].txt', 'c.txt', true],
  ['[!ab].txt', 'a.txt', false],
  ['[a-c].txt', 'b.txt', true],
  ['readme.md', 'README.md', false],
  ['doc/**', 'doc/a.md', true],
  ['doc/**', 'doc/x/a.md', false],
  ['doc/**/*', 'doc/a.md', true],
  ['doc/**/*', 'doc/x/y/a.md', true],
  ['**', 'a/b.md', false],
  ['*', '.env', true],
  ['a/**b', 'a/x/b', false],
  ['a/**.md', 'a/x/y.md', false],
  ['./README.md', 'README.md', false],
  ['/README.md', 'README.md', false],
  ['+(a|b)', 'a', false],
  ['!(a)', 'b', false],
  ['a?c', 'a/c', false],
  ['a?c', 'abc', true],
  ['\\*', '*', true],
  ['\\*', 'x', false],
  ['[ab', 'a', false],
  ['{a,b', '{a,b', true],
  ['a.b', 'aXb', false],
  ['grün/*', 'grün/ä', true],
  ['[a]b]', 'ab]', true],
])('%s on %s: %s', (glob, path, expected) => expect(compileGlob(glob)(path)).toBe(expected));

test.each([
  ['Dockerfile', 'Dockerfile', true],
  ['Dockerfile', 'a/Dockerfile', false],
  ['doc/', 'doc/x/a.md', true],
  ['doc', 'doc/a.md', false],
  ['**/*.md', 'a/b.md', true],
])('exists: %s on %s: %s', (pattern, path, expected) => expect(compileExistsPattern(pattern)(path)).toBe(expected));

test('more than 50 000 comparisons count as a match', () => {
  const none = [compileGlob('none')];
  const paths = Array.from({ length: 50_000 }, (_, index) => `p${index}`);
  expect(anyMatches(none, paths)).toBe(false);
  expect(anyMatches(none, [...paths, 'one-more'])).toBe(true);
});

test('hostile globs end', () => {
  const started = performance.now();
  compileGlob('{a,b}'.repeat(60))('a'.repeat(60));
  compileGlob(`${'*a'.repeat(200)}b`)('a'.repeat(2_000));
  compileGlob('{'.repeat(50_000))('x');
  expect(performance.now() - started).toBeLessThan(3_000);
});
