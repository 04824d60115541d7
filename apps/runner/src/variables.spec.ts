import {
  expand,
  isExportable,
  maskedValues,
  parseDuration,
  parseEnvironmentFile,
  resolveVariables,
} from './variables.js';

const known: Record<string, string> = { NAME: 'value', A_1: 'one', EMPTY: '', DOLLAR: '$NAME' };

test.each([
  ['$NAME', 'value'],
  ['${NAME}', 'value'],
  ['a${NAME}b$A_1-c', 'avaluebone-c'],
  ['$UNKNOWN', ''],
  ['${UNKNOWN}x', 'x'],
  ['$$NAME', '$NAME'],
  ['$$$NAME', '$value'],
  ['5$ each', '5$ each'],
  ['100$', '100$'],
  ['$1 $@ $?', '  '],
  ['$DOLLAR', '$NAME'],
  ['${}', ''],
  ['${NAME', 'NAME'],
  ['%NAME%', '%NAME%'],
  ['$(id) `id`', '$(id) `id`'],
])('%j expands to %j', (text, expected) => {
  expect(expand(text, (name) => known[name])).toBe(expected);
});

test('raw values stay, the last entry of a key counts, file variables are referred to by path', () => {
  const entries = [
    { key: 'A', value: 'first' },
    { key: 'RAW', value: '$A $$ ${B}', raw: true },
    { key: 'COOKED', value: '$A in $FILE' },
    { key: 'FILE', value: 'content of $A', file: true },
    { key: 'A', value: 'last' },
  ];
  expect(resolveVariables(entries, (key) => `/tmp/${key}`)).toEqual([
    { key: 'A', value: 'last', file: false },
    { key: 'RAW', value: '$A $$ ${B}', file: false },
    { key: 'COOKED', value: 'last in /tmp/FILE', file: false },
    { key: 'FILE', value: 'content of last', file: true },
  ]);
});

test('a masked value is hidden as given and as expanded', () => {
  const entries = [
    { key: 'A', value: 'x' },
    { key: 'M', value: '$A-secret', masked: true },
  ];
  expect(maskedValues(entries, resolveVariables(entries, String))).toEqual(['$A-secret', 'x-secret']);
});

test.each([
  ['GOOD_1', 'x', true],
  ['1BAD', 'x', false],
  ['BAD-NAME', 'x', false],
  ['a; id', 'x', false],
  ['UID', '5', false],
  ['NUL', 'a\0b', false],
])('%s=%j can be exported: %s', (key, value, expected) => {
  expect(isExportable({ key, value, file: false })).toBe(expected);
});

test.each([
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['500ms', 500],
  ['0s', undefined],
  ['10', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('the duration %j has %j ms', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test('lines of the environment file are data', () => {
  expect(parseEnvironmentFile('A=1\n# no\nB=$A=$(id)\r\nbad-name=2\nC=\n')).toEqual([
    { key: 'A', value: '1', raw: true },
    { key: 'B', value: '$A=$(id)', raw: true },
    { key: 'C', value: '', raw: true },
  ]);
});
