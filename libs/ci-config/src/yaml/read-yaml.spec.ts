import { defaultLimits } from '../limits.js';
import { toPlain, writeYaml } from './plain.js';
import { YamlError, readYaml } from './read-yaml.js';
import { Sources } from './sources.js';
import { Float, YamlMap, isScalar, scalarText } from './values.js';

const read = (text: string) => readYaml(text, defaultLimits)[0] ?? null;
const plain = (text: string) => toPlain(read(text));
const value = (text: string) => (read(`k: ${text}`) as YamlMap).get('k');

describe('scalars (ci-config.md §5.1, §4.2)', () => {
  test.each([
    ['yes', true],
    ['On', true],
    ['TRUE', true],
    ['no', false],
    ['OFF', false],
    ['false', false],
    ['~', null],
    ['null', null],
    ['', null],
    ['y', 'y'],
    ['n', 'n'],
    ['0123', 83],
    ['0o14', '0o14'],
    ['08', '08'],
    ['1_000', 1000],
    ['1,000', 1000],
    ['0x1F', 31],
    ['0b11', 3],
    ['-0123', -83],
    ['1.5e3', '1.5e3'],
    ['1e3', '1e3'],
    ['1e+3', '1e+3'],
    ['1:30', 5400],
    ['190:20:30', 685230],
    [':name', 'name'],
    ['"yes"', 'yes'],
    ["'0123'", '0123'],
    ['!x v', 'v'],
    ['!!str 0123', '0123'],
    ['2020-02-31', '2020-02-31'],
    ['1.2.3', '1.2.3'],
    ['.', '.'],
    ['123456789012345678901234567890', 123456789012345678901234567890n],
  ])('%s', (text, expected) => expect(value(text)).toEqual(expected));

  test.each([
    ['1.10', '1.1'],
    ['1.0', '1.0'],
    ['1.', '1.0'],
    ['.5', '0.5'],
    ['1.5e+3', '1500.0'],
    ['1.0e+20', '1.0e+20'],
    ['.inf', 'Infinity'],
    ['-.inf', '-Infinity'],
    ['.nan', 'NaN'],
  ])('float %s prints as %s', (text, expected) => {
    const float = value(text);
    expect(float).toBeInstanceOf(Float);
    expect(isScalar(float) && scalarText(float)).toBe(expected);
  });

  test.each(['2020-01-01', '2020-01-01 10:00:00', '2001-12-14t21:59:43.10-05:00'])('%s is refused', (text) =>
    expect(() => value(text)).toThrow(/^Tried to load unspecified class: (Date|Time)$/),
  );
});

describe('maps', () => {
  test.each([
    ['a duplicate key: the last one wins', 'a: 1\na: 2', { a: 2 }],
    [
      '`<<` before other keys: these win',
      '.a: &a {x: 1, y: 1}\nb:\n  <<: *a\n  x: 2',
      { '.a': { x: 1, y: 1 }, b: { x: 2, y: 1 } },
    ],
    ['`<<` after a key: the merged value wins', '.a: &a {x: 1}\nb:\n  x: 2\n  <<: *a', { '.a': { x: 1 }, b: { x: 1 } }],
    [
      '`<<` of a list: the earlier item wins',
      '.a: &a {x: 1}\n.b: &b {x: 2, y: 2}\nc:\n  <<: [*a, *b]',
      { '.a': { x: 1 }, '.b': { x: 2, y: 2 }, c: { x: 1, y: 2 } },
    ],
    ['`on` as a key is the boolean', 'on: 1', { true: 1 }],
    ['keys that are numbers stay in order', 'b: 1\n10: 2\n1: 3', { b: 1, 10: 2, 1: 3 }],
    [
      '`__proto__` is a key like others',
      'a:\n  __proto__: {x: 1}\n  b: 1',
      JSON.parse('{"a":{"__proto__":{"x":1},"b":1}}'),
    ],
  ])('%s', (_, text, expected) => expect(plain(text)).toEqual(expected));

  test('order and lines of keys', () => {
    const sources = new Sources();
    sources.add('another file');
    const [root] = readYaml('b: 1\n\n10: 2\na:\n  c: 3\n', defaultLimits, sources, 'ci/a.yml') as [YamlMap];
    expect([...root.keys()]).toEqual(['b', '10', 'a']);
    const lineOf = (map: YamlMap, key: string) => sources.locate(map.positionOf(key) as number);
    expect([...root.keys()].map((key) => lineOf(root, key).line)).toEqual([1, 3, 4]);
    expect(lineOf(root.get('a') as YamlMap, 'c')).toEqual({ line: 5, file: 'ci/a.yml' });
    expect([...root.keys()].filter((key) => !root.isTextKey(key))).toEqual(['10']);
  });
});

describe('what libyaml reads and js-yaml 5 refuses', () => {
  test.each([
    ['a list closed at the level of its parent', 'j:\n  a: [\n    x,\n    y\n]\nk: 1', { j: { a: ['x', 'y'] }, k: 1 }],
    ['a list closed at the start of the line', 'a: [\n x,\n]\n', { a: ['x'] }],
    ['a quoted text that goes on at the start of the line', 'a:\n  b: "x\ny"\n', { a: { b: 'x y' } }],
  ])('%s', (_, text, expected) => expect(plain(text)).toEqual(expected));
});

describe('refused, with the line', () => {
  test.each([
    ['a tab as indentation', 'a:\n\tb: 1', 2],
    ['two colons', 'x: 1\na: b: c', 2],
    ['a quoted colon in a plain text', 'script: echo "a: b"', 1],
    ['an unknown anchor', 'a: 1\nb: *x', 2],
    ['a node that contains itself', 'a: &a\n  b: *a', 2],
    ['a reference that is a text', 'a: !reference x', 1],
    ['an empty reference', 'a: !reference []', 1],
    ['a reference with something else in it', 'a: !reference [a, 1]', 1],
    ['a key that is a list', '? [a]\n: 1', 1],
    ['a NUL', 'a: 1\nb: "x\\0y"', 2],
    ['half a character', 'a: 1\n"\\ud83d": b', 2],
    ['too much depth', '['.repeat(200), 1],
  ])('%s', (_, text, line) => {
    const sources = new Sources();
    const failure = caught(() => readYaml(text, defaultLimits, sources));
    expect(failure).toBeInstanceOf(YamlError);
    expect(sources.locate(failure.position as number)).toEqual({ line });
  });

  test('the position in the words of libyaml', () =>
    expect(() => read('a: 1\nb: c: d')).toThrow(/^\(<unknown>\): .* at line 2 column \d+$/));
  test('the name of an unknown anchor', () =>
    expect(() => read('b: *x')).toThrow('An alias referenced an unknown anchor: x'));
});

describe('bounds', () => {
  test('an alias bomb is refused by its size, not unfolded', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i += 1)
      bomb.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')}]`);
    expect(() => read(bomb.join('\n'))).toThrow('The parsed YAML is too big');
  });
  test('aliases do not add depth without end', () => {
    const chain = ['a0: &a0 [x]', ...Array.from({ length: 300 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`)];
    expect(() => read(chain.join('\n'))).toThrow('The parsed YAML is too big');
  });
  test('a file over 2 MiB', () =>
    expect(() => read(`a: ${'x'.repeat(2 * 1024 * 1024)}`)).toThrow('The parsed YAML is too big'));
});

test('what is written reads back as the same', () => {
  const text =
    'a: {x: 1.0, y: "yes", n: "0123", big: 123456789012345678901234567890}\n10: [~, true, "a: b", "multi\\nline\\n"]\nb: ":x"\n';
  expect(plain(writeYaml(read(text)))).toEqual(plain(text));
  expect(writeYaml(read('b: 1\n10: 1.0'))).toMatch(/^b: 1\n'?10'?: 1\.0\n$/);
});

function caught(action: () => unknown): YamlError {
  try {
    action();
  } catch (error) {
    return error as YamlError;
  }
  throw new Error('nothing was thrown');
}
