import { isTruthy, parseExpression } from './expression.js';
import { Patterns } from './pattern.js';
import { ExpressionSyntaxError } from './tokens.js';

// ci-config.md §3.4: context and tables, whole.
const variables: Record<string, string> = {
  A: 'a',
  T: 'true',
  F: 'false',
  ZERO: '0',
  EMPTY: '',
  SP: ' ',
  TAG: 'v1.2.3',
  BR: 'feature/x',
  PAT: '/^v\\d+/',
  PATI: '/^V/i',
  NOPAT: 'v1',
  REF: '$A',
  NL: 'foo\nbar',
  Q: "it's",
  BADPAT: '/[/',
};
const result = (expression: string) =>
  isTruthy(parseExpression(expression, new Patterns()), { lookup: (key) => variables[key], patterns: new Patterns() });

describe('true', () => {
  test.each([
    '$A',
    '$F',
    '$ZERO',
    '"false"',
    '$UNDEF == null',
    '$EMPTY == ""',
    '$EMPTY != null',
    '$UNDEF == $UNDEF2',
    'null == null',
    '$T == true',
    '$F == false',
    '$EMPTY && $A',
    '$UNDEF || $A',
    '$T || $UNDEF && $UNDEF',
    '$A && $UNDEF || $T',
    '$A == "a" || "b"',
    '$A == ("a" || "b")',
    '$A == $A == true',
    '$TAG =~ /^v1/ || /^v2/',
    '!$UNDEF',
    '!$EMPTY',
    '!!$A',
    '!$EMPTY && $A',
    '$TAG =~ /^v\\d+\\.\\d+\\.\\d+$/',
    '$TAG =~ /^V/i',
    '$TAG =~ /(?i)V1/',
    '$TAG =~ $PAT',
    '$TAG =~ $PATI',
    '$TAG =~ "/^v/"',
    '"23" =~ "1234"',
    '$UNDEF =~ "abc"',
    '$EMPTY =~ "abc"',
    '$TAG !~ $UNDEF',
    '$UNDEF =~ /.*/',
    '$UNDEF !~ /abc/',
    '$EMPTY =~ /^$/',
    '$BR =~ /^feature\\//',
    '$BR =~ /^feature//',
    '$NL =~ /^bar$/m',
    '$NL =~ /foo.bar/s',
    '"$A"',
    '$REF == "$A"',
    '"it\'s" == $Q',
    '$A=="a"&&$T=="true"',
    '$TAG =~ /v1.*3/U',
    '  $A\n==\t"a" ',
  ])('%s', (expression) => expect(result(expression)).toBe(true));
});

describe('false', () => {
  test.each([
    '$UNDEF',
    '$EMPTY',
    '$SP',
    '$EMPTY == null',
    '$UNDEF == ""',
    'null',
    '$UNDEF == false',
    '$EMPTY == false',
    '$A && $EMPTY',
    '$EMPTY || $A',
    '$SP || $A',
    '$UNDEF || $EMPTY || $A',
    '$A && ($EMPTY || $T)',
    '$EMPTY != "" && $A',
    '($T || $UNDEF) && $UNDEF',
    '$A == "b" || $T == "true" && $UNDEF',
    '!$A == "a"',
    '!($A == "a")',
    '!$TAG =~ /^v/',
    '$TAG =~ /^V/',
    '$TAG =~ $NOPAT',
    '$UNDEF !~ "abc"',
    '$TAG =~ $UNDEF',
    '$UNDEF =~ /abc/',
    '$NL =~ /^bar$/',
    '$NL =~ /foo.bar/',
    '"$A" == "a"',
    '$REF == "a"',
    '/v1/ =~ $TAG',
    '$TAG == /v1/',
    '$TAG =~ $BADPAT',
    '$TAG !~ $BADPAT',
  ])('%s', (expression) => expect(result(expression)).toBe(false));
});

describe('syntax errors', () => {
  test.each([
    '$A =~ /a/',
    '$A == a',
    '${A} == "a"',
    '%A% == "a"',
    '$A = "a"',
    '$A === "a"',
    '$A == 1',
    '$A == "a" and $T',
    '$A == "a" & $T',
    '$A <= "b"',
    '$A in ["a"]',
    '$A == "a" # c',
    "'it\\'s'",
    '"a',
    '$BR =~ /feature/x/',
    '$TAG =~ /v1/g',
    '$TAG =~ /v1/x',
    '$TAG =~ /[/',
    '$TAG =~ /(v1/',
    '$TAG =~ /(?=v1)/',
    '$TAG =~ /(v)\\1/',
    '$T == TRUE',
    '( $A',
    '$A )',
    '()',
    '$A $B',
    '$A ==',
    '== "a"',
    '$A == "a" &&',
    '$TAG =~ /v1',
    '$TAG =~ //',
    '!',
    '',
  ])('%s', (expression) => expect(() => parseExpression(expression, new Patterns())).toThrow(ExpressionSyntaxError));

  test('99 tokens are allowed, 100 are not', () => {
    const chain = (operands: number) => Array.from({ length: operands }, () => '$A').join(' && ');
    expect(result(chain(50))).toBe(true);
    expect(() => parseExpression(`!${chain(50)}`, new Patterns())).toThrow('too many tokens');
  });
});

describe('patterns are bounded', () => {
  const search = (pattern: string, text: string) =>
    isTruthy(parseExpression(`$X =~ ${pattern}`, new Patterns()), { lookup: () => text, patterns: new Patterns() });

  test('one that would take a backtracking engine forever answers at once', () => {
    const started = performance.now();
    expect(search('/^(a+)+$/', `${'a'.repeat(5_000)}!`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test('one that compiles to too much is invalid', () =>
    expect(() => parseExpression(`$X =~ /${'(abcdefghij){999}'.repeat(20)}/`, new Patterns())).toThrow(
      ExpressionSyntaxError,
    ));

  test('many that are large together are refused', () => {
    const patterns = new Patterns();
    expect(() => {
      for (let i = 0; i < 1_000; i += 1) patterns.compile(`/(x${i}){999}/`);
    }).toThrow('The regular expressions are too large');
  });

  test('a large one over a large text is refused', () =>
    expect(() => search('/(x{0,9}){99}y/', 'x'.repeat(1_000_000))).toThrow(
      'The regular expressions are too large for the texts that they search',
    ));
});
