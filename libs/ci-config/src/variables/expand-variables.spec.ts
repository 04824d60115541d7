import type { Variable } from '../job.js';
import {
  expandOnce,
  expandText,
  expandVariables,
  findCircularReference,
  type ExpansionMode,
  type FindVariable,
} from './expand-variables.js';

const list = (...pairs: [string, string, Partial<Variable>?][]): Variable[] =>
  pairs.map(([key, value, more]) => ({ key, value, ...more }));

const finding = (variables: readonly Variable[]): FindVariable => {
  const byKey = new Map(variables.map((variable) => [variable.key, variable]));
  return (key) => byKey.get(key);
};

function expanded(variables: Variable[], mode: ExpansionMode): Record<string, string> | string {
  const result = expandVariables(variables, mode);
  return result.ok ? Object.fromEntries(result.variables.map(({ key, value }) => [key, value])) : result.error;
}

// ci-config.md §4.3, table: definitions, result with undefined removed, result with undefined kept.
describe('values by one another', () => {
  test.each<[string, Variable[], object | string, object | string]>([
    ['in any order', list(['B', '$A'], ['A', '1']), { B: '1', A: '1' }, { B: '1', A: '1' }],
    ['in chains', list(['A', '$B'], ['B', '$C'], ['C', 'x']), { A: 'x', B: 'x', C: 'x' }, { A: 'x', B: 'x', C: 'x' }],
    ['undefined', list(['A', '$UNDEF x ${UNDEF}']), { A: ' x ' }, { A: '$UNDEF x ${UNDEF}' }],
    ['shielded', list(['A', '$$B'], ['B', '1']), { A: '$$B', B: '1' }, { A: '$$B', B: '1' }],
    ['shielded by percents', list(['A', '%%B%%'], ['B', '1']), { A: '%%B%%', B: '1' }, { A: '%%B%%', B: '1' }],
    ['itself', list(['A', 'x:$A']), { A: 'x:' }, { A: 'x:$A' }],
    [
      'a raw one',
      list(['A', '$B'], ['B', '$C', { raw: true }], ['C', 'c']),
      { A: '$C', B: '$C', C: 'c' },
      { A: '$C', B: '$C', C: 'c' },
    ],
    [
      'a file',
      list(['A', '$F'], ['F', 'content', { file: true }]),
      { A: 'content', F: 'content' },
      { A: 'content', F: 'content' },
    ],
    ['a key twice', list(['A', '1'], ['B', '$A'], ['A', '2']), { A: '2', B: '2' }, { A: '2', B: '2' }],
    [
      'all forms',
      list(['A', '1'], ['B', '$A ${A} %A% $Ax ${A $1 $(A)']),
      { A: '1', B: '1 1 1  ${A $1 $(A)' },
      { A: '1', B: '1 1 1 $Ax ${A $1 $(A)' },
    ],
    [
      'a circle',
      list(['A', '$B'], ['B', '$A']),
      'circular variable reference detected: ["A", "B"]',
      'circular variable reference detected: ["A", "B"]',
    ],
  ])('%s', (_, variables, removed, kept) => {
    expect(expanded(variables, 'remove')).toEqual(removed);
    expect(expanded(variables, 'keep')).toEqual(kept);
  });

  test('for the runner, references to file and raw variables stay', () => {
    const variables = list(
      ['A', '$F $R $B $U'],
      ['F', 'content', { file: true }],
      ['R', '$B', { raw: true }],
      ['B', 'b'],
    );
    expect(expanded(variables, 'runner')).toEqual({ A: '$F $R b $U', F: 'content', R: '$B', B: 'b' });
  });

  test('growth without end is refused', () => {
    const doubling = Array.from({ length: 64 }, (_, i): Variable => ({
      key: `V${i}`,
      value: i === 0 ? 'xxxxxxxx' : `$V${i - 1}$V${i - 1}`,
    }));
    expect(expanded(doubling, 'keep')).toBe('variables are too long after expansion');
    expect(expandText('$V63', finding(doubling), 'keep')).toEqual({
      ok: false,
      error: 'variables are too long after expansion',
    });
  });

  test('a chain as long as a list may be does not exhaust the stack', () => {
    const chain = Array.from({ length: 20_000 }, (_, i): Variable => ({ key: `V${i}`, value: `$V${i + 1}` }));
    expect(findCircularReference(chain, finding(chain))).toBeNull();
    const closed = [...chain, { key: 'V20000', value: '$V0' }];
    expect(findCircularReference(closed, finding(closed))).toMatch(/^circular variable reference detected: /);
  });
});

test.each<[string, ExpansionMode, string]>([
  ['$A/$U', 'keep', 'x/$U'],
  ['$A/$U', 'remove', 'x/'],
  ['$$A', 'keep', '$$A'],
  ['plain', 'keep', 'plain'],
])('nested: %s with undefined %s: %s', (text, mode, expected) => {
  expect(expandText(text, finding(list(['A', '$B'], ['B', 'x'])), mode)).toEqual({ ok: true, text: expected });
});

test.each([
  ['$A ${A} %A%', '$B $B $B'],
  ['$$A', '$$B'],
  ['$U', '$U'],
])('single pass: %s: %s', (text, expected) => {
  const values: Record<string, string> = { A: '$B', B: 'x' };
  expect(expandOnce(text, (key) => values[key], 'keep')).toEqual({ ok: true, text: expected });
});
