import { candidatesFor, isFullRefName, looksDescribed, shortName } from './ref-name.js';

describe('candidatesFor', () => {
  it.each([
    ['main', { branch: 'refs/heads/main', tag: 'refs/tags/main' }],
    ['feature/a.b', { branch: 'refs/heads/feature/a.b', tag: 'refs/tags/feature/a.b' }],
    ['refs/heads/main', { branch: 'refs/heads/main' }],
    ['refs/tags/v1.0', { tag: 'refs/tags/v1.0' }],
    ['heads/main', { branch: 'refs/heads/heads/main', tag: 'refs/tags/heads/main' }],
    [
      'refs/merge-requests/1/head',
      { branch: 'refs/heads/refs/merge-requests/1/head', tag: 'refs/tags/refs/merge-requests/1/head' },
    ],
    ['HEAD', { branch: 'refs/heads/HEAD', tag: 'refs/tags/HEAD' }],
    ['', {}],
    ['refs/heads/', {}],
    ['main~1', {}],
    ['main\n', {}],
    ['a'.repeat(100_000), {}],
  ])('%j', (ref, candidates) => {
    expect(candidatesFor(ref)).toEqual(candidates);
  });
});

it.each([
  ['refs/heads/main', 'main'],
  ['refs/tags/refs/heads/x', 'refs/heads/x'],
  ['refs/heads/refs/tags/x', 'refs/tags/x'],
])('shortName(%j)', (full, short) => {
  expect(shortName(full)).toBe(short);
});

it.each(['heads/main', 'refs/heads/\ud800', 'refs/heads/' + 'x'.repeat(4_000)])('%j is no full name', (name) => {
  expect(isFullRefName(name)).toBe(false);
});

it.each([
  ['refs/heads/v1-4-gdeadbee', true],
  ['refs/heads/x-gABC', true],
  ['refs/heads/x-great', false],
  ['refs/heads/-g', false],
])('looksDescribed(%j)', (name, described) => {
  expect(looksDescribed(name)).toBe(described);
});
