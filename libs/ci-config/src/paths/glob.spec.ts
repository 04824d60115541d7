import { compileGlob } from './glob.js';
import { PathMatcher } from './path-matcher.js';

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
  ['doc/', 'doc', false],
  ['./Dockerfile', 'Dockerfile', false],
])('exists: %s with %s: %s', (pattern, path, expected) =>
  expect(new PathMatcher({ listFiles: () => [path], changedFiles: null }).exist([pattern])).toBe(expected),
);

describe('one pipeline', () => {
  const files = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`);
  const matcher = (paths: string[]) => new PathMatcher({ listFiles: () => paths, changedFiles: paths });

  test('more than 50 000 comparisons of a rule count as a match', () => {
    expect(matcher(files(50_000)).exist(['none*'])).toBe(false);
    expect(matcher(files(50_001)).exist(['none*'])).toBe(true);
    expect(matcher(files(25_001)).changed(['none', 'never'])).toBe(true);
  });

  test('paths without wildcards are looked up, however many files there are', () => {
    const many = matcher([...files(60_000), 'doc/a.md']);
    expect(many.exist(['none', 'nowhere/'])).toBe(false);
    expect(many.exist(['none', 'doc/'])).toBe(true);
    expect(many.exist(['p7'])).toBe(true);
  });

  test('so do more than 4 000 000 of all rules; what was answered stays', () => {
    const paths = matcher(files(50_000));
    const answers = Array.from({ length: 81 }, (_, index) => paths.exist([`none${index}*`]));
    expect(answers.indexOf(true)).toBe(80);
    expect(paths.exist(['none0*'])).toBe(false);
  });

  test('unknown changes count as changes, known ones may be none', () => {
    expect(new PathMatcher({ listFiles: () => [], changedFiles: null }).changed(['none'])).toBe(true);
    expect(matcher([]).changed(['**/*'])).toBe(false);
  });

  test('compare_to asks for the changes since a ref, once', () => {
    const asked: string[] = [];
    const changedSince = (ref: string) => {
      asked.push(ref);
      return ref === 'main' ? ['a.md'] : null;
    };
    const paths = new PathMatcher({ listFiles: () => [], changedFiles: null, changedSince });
    expect(paths.changedSince('main', ['*.md'])).toBe(true);
    expect(paths.changedSince('main', ['*.rs'])).toBe(false);
    expect(paths.changedSince('gone', ['*'])).toEqual({ error: 'rules:changes:compare_to is not a valid ref' });
    expect(asked).toEqual(['main', 'gone']);
  });
});

test('hostile globs end', () => {
  // Of this process: others may have the machine meanwhile.
  const started = process.cpuUsage();
  compileGlob('{a,b}'.repeat(60))('a'.repeat(60));
  compileGlob(`${'*a'.repeat(200)}b`)('a'.repeat(2_000));
  compileGlob('{'.repeat(50_000))('x');
  compileGlob(`${'a'.repeat(100_000)}*`)('x');
  expect(process.cpuUsage(started).user / 1_000).toBeLessThan(3_000);
});
