import { maskTokens, redacted } from './redaction.js';
import { triggerPayload } from './trigger-payload.js';

const sent = (variables: Record<string, string>, more: object = {}) => ({
  variables: Object.entries(variables),
  payload: triggerPayload({ ref: 'main', variables, ...more }),
});
const masked = (...keys: string[]) => new Set(keys);

it('shows what was sent as it was, where nothing of it is secret', () => {
  const content = sent({ COLOUR: 'red' }, { commits: [{ message: 'Say "hello"' }] });
  expect(redacted(content, masked('PASSWORD'))).toEqual(content);
});

it('hides the values of masked variables, however short', () => {
  const { variables, payload } = redacted(sent({ COLOUR: 'red', PIN: '1', EMPTY: '' }), masked('PIN', 'EMPTY'));
  expect(variables).toEqual([
    ['COLOUR', 'red'],
    ['PIN', '[MASKED]'],
    ['EMPTY', '[MASKED]'],
  ]);
  expect(JSON.parse(payload)).toEqual({
    ref: 'main',
    variables: { COLOUR: 'red', PIN: '[MASKED]', EMPTY: '[MASKED]' },
  });
});

it('hides a masked value wherever the payload says it again', () => {
  const value = 'pass "word" \\ long';
  const content = sent({ PASSWORD: value, OTHER: 'long' }, { body: { note: `it is ${value}!` }, long: true });
  const { payload } = redacted(content, masked('PASSWORD'));
  expect(JSON.parse(payload)).toMatchObject({
    body: { note: 'it is [MASKED]!' },
    long: true,
    variables: { OTHER: 'long' },
  });
});

it('hides the longer of two values first, since one may be a part of the other', () => {
  const content = sent({ A: 'abcdefgh', B: 'abcdefghijkl' }, { note: 'abcdefghijkl' });
  expect(redacted(content, masked('A', 'B')).payload).not.toMatch(/abc|ijkl/);
});

it.each([
  ['glptt-0123456789abcdef', 'glptt-[MASKED]'],
  ['curl token=glpat-aB_3-x.y&ref=main', 'curl token=glpat-[MASKED]&ref=main'],
  ['xglrtr-abc glrt-def', 'xglrtr-[MASKED] glrt-[MASKED]'],
  ['glory-be', 'glory-be'],
])('hides tokens by their prefixes: %s', (text, expected) => {
  expect(maskTokens(text)).toBe(expected);
  expect(redacted(sent({ A: text }), masked()).variables).toEqual([['A', expected]]);
});
