import { hashSecret, newSecret, visibleCharacters } from './secrets.js';

it('hashes with SHA-256', () => {
  expect(hashSecret('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

it.each([
  ['glptt', /^glptt-[0-9a-f]{40}$/],
  ['glpat', /^glpat-[\w-]{27}$/],
  ['glrt', /^glrt-[\w-]{27}$/],
  ['glcbt', /^glcbt-[\w-]{27}$/],
] as const)('%s', (kind, shape) => {
  const secrets = Array.from({ length: 100 }, () => newSecret(kind));
  for (const secret of secrets) expect(secret).toMatch(shape);
  expect(new Set(secrets).size).toBe(100);
});

it('takes its randomness from where it is told', () => {
  expect(newSecret('glptt', (bytes) => Buffer.alloc(bytes, 1))).toBe(`glptt-${'01'.repeat(20)}`);
});

it.each([
  ['glptt-1234abcd', '1234'],
  ['0123456789abcdef0123456789abcd', '0123'],
])('four characters of %s are for everyone', (token, visible) => expect(visibleCharacters(token)).toBe(visible));
