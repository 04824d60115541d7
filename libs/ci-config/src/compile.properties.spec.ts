import fc from 'fast-check';
import { compile, defaultLimits, mergedYaml, noFiles, parseConfig } from './index.js';
import { Patterns } from './expressions/pattern.js';
import { parseExpression } from './expressions/expression.js';
import { ExpressionSyntaxError } from './expressions/tokens.js';
import { filesOf, triggered } from './testing/contexts.js';

/** Pieces that configurations are made of, put together at random: far closer to the compiler's branches than random text. */
const scalar = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    '.a',
    'main',
    '$A',
    '$A == "x"',
    '/^a+/',
    '1 day',
    'never',
    'manual',
    'delayed',
    'test',
    '.pre',
    '**/*',
    'a: b',
    'a.yml',
    '*.yml',
    'g/p',
    '$[[ inputs.a ]]',
    'x $[[ inputs.b | truncate(0,2) | expand_vars ]]',
    '$[[ matrix.A ]]',
    '',
  ),
  fc.constantFrom(true, false, null, 0, 1, 5, 2.5),
  fc.string({ maxLength: 8 }),
);
const keywords =
  'script stage needs rules only except extends parallel matrix variables when allow_failure job if changes exists start_in tags image services cache artifacts environment name on_stop retry default workflow stages include inherit timeout hooks refs paths a b .a dependencies local trigger project file ref branch strategy forward inputs pipeline release pages auto_cancel retry max exit_codes environment action resource_group coverage interruptible parallel optional artifacts';
const keyword = fc.constantFrom(...keywords.split(' '));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(keyword, tie('tree'), { maxKeys: 5 }),
  ),
}));
const config = fc.dictionary(keyword, tree, { minKeys: 1, maxKeys: 6 }).map((value) => JSON.stringify(value));
const brokenConfig = fc
  .tuple(config, fc.nat(200), fc.string({ maxLength: 3 }))
  .map(([text, at, more]) => text.slice(0, at) + more + text.slice(at));
const anyText = fc.oneof(
  config,
  brokenConfig,
  fc.string(),
  fc.string({ unit: fc.constantFrom('a', ':', ' ', '\n', '-', '[', '{', '&', '*', '<', '!', '"', '|') }),
);

test('never throws, on any text', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const plan = compile(text, noFiles, triggered());
      expect(plan.ok ? plan.jobs.length > 0 : plan.errors.length > 0).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

/** Files that include each other, of this project and another, below a header with inputs. */
const inputs = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
const definitions = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(
    fc.constant(null),
    fc.record(
      {
        type: fc.constantFrom('string', 'number', 'boolean', 'array', 'text'),
        default: fc.jsonValue({ maxDepth: 2 }),
        options: fc.array(scalar, { maxLength: 3 }),
        regex: fc.constantFrom('^a', '(?=a)', '['),
      },
      { requiredKeys: [] },
    ),
  ),
  { maxKeys: 3 },
);
const withHeader = fc
  .tuple(definitions, config)
  .map(([wanted, body]) => `${JSON.stringify({ spec: { inputs: wanted } })}\n---\n${body}`);

test('never throws, whatever is included and given', () => {
  const file = fc.oneof(config, withHeader, anyText);
  fc.assert(
    fc.property(fc.oneof(config, withHeader), file, file, inputs, (text, own, other, given) => {
      const opened = filesOf({ 'a.yml': other });
      const files = { ...filesOf({ 'a.yml': own, 'b.yml': other }), openProject: () => opened, inputs: given };
      const limits = { ...defaultLimits, includes: 10 };
      const plan = compile(text, files, triggered(), limits);
      expect(plan.ok ? plan.jobs.length > 0 : plan.errors.length > 0).toBe(true);
      expect(compile(text, files, triggered(), limits)).toEqual(plan);
    }),
    { numRuns: 1_000 },
  );
});

test('every problem has a line that the file has', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parsed = parseConfig(text, noFiles);
      const lines = text.split(/\r\n|\n|\r/).length;
      for (const { line } of parsed.ok ? [] : parsed.problems)
        expect(line === undefined || (line >= 1 && line <= lines)).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('same input, same plan; and what was parsed is not changed by planning', () => {
  fc.assert(
    fc.property(config, (text) => {
      expect(compile(text, noFiles, triggered())).toEqual(compile(text, noFiles, triggered()));
    }),
    { numRuns: 500 },
  );
});

test('the merged file means the same as the file', () => {
  fc.assert(
    fc.property(config, (text) => {
      const merged = mergedYaml(parseConfig(text, noFiles));
      fc.pre(merged !== null && !text.includes('extends'));
      expect(compile(merged ?? '', noFiles, triggered())).toEqual(compile(text, noFiles, triggered()));
    }),
    { numRuns: 500 },
  );
});

test('expressions are parsed or refused, never anything else', () => {
  const piece = fc.constantFrom(
    '$A',
    '"x"',
    "'",
    '/a/',
    '/ab/',
    '(',
    ')',
    '==',
    '=~',
    '!~',
    '!',
    '&&',
    '||',
    'null',
    'true',
    ' ',
    '\\',
    '1',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const refused = errorOf(() => parseExpression(pieces.join(''), new Patterns()));
      expect(refused === null || refused instanceof ExpressionSyntaxError).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('patterns are compiled or refused', () => {
  fc.assert(
    fc.property(fc.string(), (text) => void new Patterns().compile(`/${text}/`)),
    { numRuns: 1_000 },
  );
});

function errorOf(action: () => unknown): unknown {
  try {
    action();
    return null;
  } catch (error) {
    return error;
  }
}
