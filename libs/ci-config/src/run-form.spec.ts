import { noFiles, parseConfig, readRunForm } from './index.js';

const inputs = (spec: string) => readRunForm(`spec:\n  inputs: ${spec}\n---\nx: { script: a }`).inputs;
const usual = { type: 'string', description: null, default: null, required: true, options: null, regex: null };

describe('inputs of a form', () => {
  test.each([
    ['{ a: }', [{ ...usual, name: 'a' }]],
    ['{ a: { default: b } }', [{ ...usual, name: 'a', default: 'b', required: false }]],
    ['{ a: { default: "" } }', [{ ...usual, name: 'a', default: '', required: false }]],
    ['{ a: { default: 1 } }', [{ ...usual, name: 'a', default: '1', required: false }]],
    ['{ a: { type: number, default: 1.5 } }', [{ ...usual, name: 'a', type: 'number', default: 1.5, required: false }]],
    [
      '{ a: { type: boolean, default: false } }',
      [{ ...usual, name: 'a', type: 'boolean', default: false, required: false }],
    ],
    [
      '{ a: { type: array, default: [b, { c: 1 }] } }',
      [{ ...usual, name: 'a', type: 'array', default: ['b', { c: 1 }], required: false }],
    ],
    [
      '{ a: { description: What, options: [b, c], regex: "^[bc]$" } }',
      [{ ...usual, name: 'a', description: 'What', options: ['b', 'c'], regex: '^[bc]$' }],
    ],
    ['{ b: , a: }', [expect.objectContaining({ name: 'b' }), expect.objectContaining({ name: 'a' })]],
  ])('%s', (spec, expected) => {
    expect(inputs(spec)).toEqual(expected);
  });

  it('have all the options of their rules, and the default that goes with the other defaults', () => {
    const [, size] = inputs(`
    cloud: { default: east }
    size:
      rules:
        - { if: '$[[ inputs.cloud ]] == "west"', options: [s, m], default: s }
        - { options: [m, l], default: l }`);
    expect(size).toEqual({ ...usual, name: 'size', default: 'l', required: false, options: ['s', 'm', 'l'] });
  });

  test.each([
    '',
    'x: [',
    'spec: { inputs: 1 }\n---\nx: 1',
    'spec: { inputs: { a: { type: odd } } }\n---\nx: 1',
    'a\n---\nb\n---\nc',
  ])('are none where the file is at fault: %j', (text) => {
    expect(readRunForm(text)).toEqual({ inputs: [], variables: [] });
  });
});

describe('variables of a form', () => {
  const variables = `
variables:
  PLAIN: a
  QUIET: { value: b }
  WHERE: { value: staging, description: Where to, options: [staging, production, 1] }
  EMPTY: { description: Say something }
x: { script: a }
`;
  const expected = [
    { key: 'WHERE', value: 'staging', description: 'Where to', options: ['staging', 'production', '1'] },
    { key: 'EMPTY', value: '', description: 'Say something' },
  ];

  it('are those with a description', () => {
    const parsed = parseConfig(variables, noFiles);
    expect(parsed.ok && parsed.config.described).toEqual(expected);
  });

  it('are known before the inputs are, as far as they do not depend on them', () => {
    const text = `spec: { inputs: { a: } }\n---${variables}`;
    expect(readRunForm(text).variables).toEqual(expected);
    expect(readRunForm(text.replace('staging, d', '"$[[ inputs.a ]]", d')).variables).toEqual(expected.slice(1));
  });
});
