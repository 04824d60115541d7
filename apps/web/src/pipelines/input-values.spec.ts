import { inputText, inputValue } from './input-values.js';

test.each([
  ['string', 'abc', 'abc'],
  ['string', '12', '12'],
  ['number', '1.5', 1.5],
  ['boolean', 'false', false],
  ['array', '["a", {"b": 1}]', ['a', { b: 1 }]],
] as const)('a %s, %s', (type, text, value) => {
  expect(inputValue(type, text)).toEqual(value);
  expect(inputValue(type, inputText(value))).toEqual(value);
});

test.each(['a, b', '{"a": 1}', ''])('%s is no list', (text) => {
  expect(() => inputValue('array', text)).toThrow('not a list in JSON');
});
