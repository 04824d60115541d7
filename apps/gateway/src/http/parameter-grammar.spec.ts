import fc from 'fast-check';
import { nestPairs } from './parameter-grammar.js';

/** `read`, or the status of the refusal. */
function statusOf(act: () => unknown): string {
  try {
    act();
    return 'read';
  } catch (error) {
    return String((error as { status?: number }).status);
  }
}

const nest = (query: string): unknown => JSON.parse(JSON.stringify(nestPairs(new URLSearchParams(query))));

it.each([
  ['a=1&b=2', { a: '1', b: '2' }],
  ['a=1&a=2', { a: '2' }],
  ['a=', { a: '' }],
  ['a', { a: '' }],
  ['a=1+2%2B', { a: '1 2+' }],
  ['v[K]=1&v[L]=2', { v: { K: '1', L: '2' } }],
  ['v[K]=1&v[K]=2', { v: { K: '2' } }],
  ['v[7]=x&v[0]=y', { v: { 0: 'y', 7: 'x' } }],
  ['v[a.b]=1&v[a b]=2&v[]]=3', { v: { 'a.b': '1', 'a b': '2', ']': '3' } }],
  ['v[a][b][c]=1', { v: { a: { b: { c: '1' } } } }],
  ['s[]=a&s[]=b', { s: ['a', 'b'] }],
  ['s[]=a', { s: ['a'] }],
  [
    'v[][key]=A&v[][value]=1&v[][key]=B&v[][value]=2',
    {
      v: [
        { key: 'A', value: '1' },
        { key: 'B', value: '2' },
      ],
    },
  ],
  ['v[][key]=A&v[][key]=B', { v: [{ key: 'A' }, { key: 'B' }] }],
  ['v[][a][b]=1&v[][a][c]=2&v[][a][b]=3', { v: [{ a: { b: '1', c: '2' } }, { a: { b: '3' } }] }],
  ['v[][l][]=1&v[][l][]=2&v[][k]=x', { v: [{ l: ['1', '2'], k: 'x' }] }],
  ['[a]=1&b[=2&c]=3&=4&d[x=5', { '[a]': '1', 'b[': '2', 'c]': '3', '': '4', 'd[x': '5' }],
  ['a[b]c=1', { 'a[b]c': '1' }],
  ['v[constructor]=1&v[toString]=2&constructor=3', { v: { constructor: '1', toString: '2' }, constructor: '3' }],
])('%s', (query, expected) => {
  expect(nest(query)).toEqual(expected);
});

it.each(['v=2&v[A]=1', 'v[A]=1&v[]=2', 'v[]=1&v[A]=2', 'v=1&v[]=2', 'v[A]=1&v[A][B]=2', `v${'[x]'.repeat(32)}=1`])(
  '%s contradicts itself or is too deep',
  (query) => {
    expect(() => nest(query)).toThrow(expect.objectContaining({ status: 400, body: { error: 'v is invalid' } }));
  },
);

it('the last plain value wins over a map before it', () => {
  expect(nest('v[A]=1&v=2')).toEqual({ v: '2' });
});

it('keeps every variable whatever it is called, and touches no prototype', () => {
  const names = fc.uniqueArray(
    fc.string({ minLength: 1 }).filter((name) => !/[[\]]/.test(name)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(names, (keys) => {
      const { variables } = nestPairs(keys.map((key) => [`variables[${key}]`, `value of ${key}`] as const));
      expect(new Map(Object.entries(variables ?? {}))).toEqual(new Map(keys.map((key) => [key, `value of ${key}`])));
      expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    }),
  );
});

it('answers anything that a caller can type', () => {
  const name = fc.stringMatching(/^[ab[\]]{0,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string()), { maxLength: 8 }), (pairs) => {
      expect(statusOf(() => nestPairs(pairs))).toMatch(/^(?:read|400)$/);
    }),
  );
});
