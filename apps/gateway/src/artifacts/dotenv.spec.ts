import { dotenvLimit, parseDotenv } from './dotenv.js';

it.each<[string, Record<string, string>]>([
  ['A=1\nB=two words\n', { A: '1', B: 'two words' }],
  ['A = 1 \r\n\r\n  B=2', { A: '1', B: '2' }],
  ['A="1 2"\nB=\'3\'\nC="\nD=', { A: '1 2', B: '3', C: '"', D: '' }],
  ['URL=https://x/?a=b&c=$HOME', { URL: 'https://x/?a=b&c=$HOME' }],
  ['A=1\nB=2\nA=3', { B: '2', A: '3' }],
  ['', {}],
])('%j', (text, expected) => {
  expect(Object.fromEntries(parseDotenv(text).map(({ key, value }) => [key, value]))).toEqual(expected);
});

it.each(['1A=x', 'just words', '# a comment', 'A-B=1', '=1'])('refuses %j, naming the line', (line) => {
  expect(() => parseDotenv(`OK=1\n${line}`)).toThrow(
    expect.objectContaining({ status: 400, body: { message: expect.stringContaining('line 2') } }),
  );
});

it('refuses more variables than anybody writes', () => {
  const text = Array.from({ length: 51 }, (_, index) => `V${index}=x`).join('\n');
  expect(() => parseDotenv(text)).toThrow(expect.objectContaining({ status: 400 }));
});

it('takes no time for the longest line of blanks', () => {
  const began = performance.now();
  const blanks = ' '.repeat(dotenvLimit / 2 - 10);
  expect(() => parseDotenv(`A=${blanks}x${blanks}\u2028y`)).toThrow(expect.objectContaining({ status: 400 }));
  expect(performance.now() - began).toBeLessThan(1_000);
});
