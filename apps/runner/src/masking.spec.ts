import fc from 'fast-check';
import { Masker } from './masking.js';

function mask(text: string, phrases: string[], cuts: number[] = [], prefixes?: string[]): string {
  const bytes = Buffer.from(text);
  const masker = new Masker(phrases, prefixes);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const shown: Buffer[] = [];
  let start = 0;
  for (const end of ends) {
    shown.push(masker.push(bytes.subarray(start, end)));
    start = end;
  }
  shown.push(masker.flush());
  return Buffer.concat(shown).toString();
}

test.each([
  ['the value', 'user s3cr3t-value end', ['s3cr3t-value'], 'user [MASKED] end'],
  ['all occurrences', 'abab', ['ab'], '[MASKED][MASKED]'],
  ['overlapping values as one', 'xabcdefx', ['abcd', 'cdef'], 'x[MASKED]x'],
  ['a value within a longer one', 'secret-long', ['secret', 'secret-long'], '[MASKED]'],
  ['a value that overlaps itself', 'aaaaaaa', ['aaaa'], '[MASKED]'],
  ['characters of several bytes', 'naïve ключ!', ['ключ'], 'naïve [MASKED]!'],
  ['several lines', 'a\nkey1\nkey2\nb', ['key1\nkey2'], 'a\n[MASKED]\nb'],
  ['nothing for an empty value', 'text', [''], 'text'],
  ['tokens behind their prefix', 'use glpat-AbC_12-x, done', [], 'use glpat-[MASKED], done'],
  ['routable tokens', 'glrt-t1_abc.def.0z', [], 'glrt-[MASKED]'],
  ['no prefix alone', 'prefix glptt- here', [], 'prefix glptt- here'],
  ['a prefix at the end', 'glcbt-', [], 'glcbt-'],
  ['a value inside a token', 'glpat-abcdef', ['cde'], 'glpat-[MASKED]'],
  ['a token that is a value', 'glpat-abcdef!', ['glpat-abcdef'], '[MASKED]!'],
  ['a value that ends in a token', 'my glpat-abc!', ['pat-a'], 'my gl[MASKED]!'],
  ['a value that begins in a token', 'glpat-ab cd!', ['ab cd'], 'glpat-[MASKED]!'],
])('hides %s', (_name, text, phrases, expected) => {
  expect(mask(text, phrases)).toBe(expected);
});

test('hides tokens with the prefixes that the coordinator names', () => {
  expect(mask('own-12 glpat-12', [], [], ['own-'])).toBe('own-[MASKED] glpat-12');
});

/** Few letters, so that values, prefixes and their beginnings meet often. */
const dense = fc
  .array(fc.constantFrom('a', 'b', 'g', 'l', '-', ' ', 'é'), { maxLength: 60 })
  .map((letters) => letters.join(''));
const phrases = fc.array(
  fc
    .array(fc.constantFrom('a', 'b', 'g', 'l', '-', 'é'), { minLength: 2, maxLength: 7 })
    .map((letters) => letters.join('')),
  { maxLength: 4 },
);
const cuts = fc.array(fc.nat(200), { maxLength: 12 });
const prefixes = fc.constantFrom<string[][]>([], ['gl-'], ['gl-', 'a-']);

test('the result does not depend on how the stream is cut', () => {
  fc.assert(
    fc.property(dense, phrases, cuts, prefixes, (text, secrets, at, own) => {
      expect(mask(text, secrets, at, own)).toBe(mask(text, secrets, [], own));
    }),
    { numRuns: 5000 },
  );
});

test('no cut reveals a value', () => {
  fc.assert(
    fc.property(dense, phrases, cuts, prefixes, (text, secrets, at, own) => {
      // What the mask itself spells is no secret of the stream.
      const shown = mask(text, secrets, at, own).split('[MASKED]');
      for (const secret of secrets) for (const part of shown) expect(part).not.toContain(secret);
    }),
    { numRuns: 5000 },
  );
});

test('an endless token and an endless overlap are not held in memory', () => {
  const masker = new Masker(['aaaa'], ['gl-']);
  const first = masker.push(Buffer.from('x gl-a'));
  const rest = Array.from({ length: 50 }, () => masker.push(Buffer.alloc(10_000, 'a')));
  expect(Buffer.concat([first, ...rest, masker.flush()]).toString()).toBe('x gl-[MASKED]');
});

test('output is shown at once when it cannot begin a secret', () => {
  expect(new Masker(['secret']).push(Buffer.from('progress: 10 %')).toString()).toBe('progress: 10 %');
});
