import { findCoverage } from './coverage.js';

it.each<[string, string, string, number | null]>([
  ['a group', 'Coverage: 87.5%\n', 'Coverage: (\\d+\\.\\d+)%', 87.5],
  ['no group', 'TOTAL 42%\n', 'TOTAL.*\\d+%', 42],
  ['the last line that has one', '10% covered\n20% covered\nbye\n', '\\d+% covered', 20],
  ['the last match on a line', 'covered 1% covered 2%', 'covered (\\d+)%', 2],
  ['the last group', 'Lines: 3 of 4 (75.0%)', 'Lines: (\\d+) of \\d+ \\((\\d+\\.\\d+)%\\)', 75],
  ['a match without a number', 'covered: all\ncovered: 5%\ncovered: none', 'covered: (\\S+)', 5],
  ['line ends of another kind', 'total 9%\r\n', '^total (\\d+)%', 9],
  ['nothing', 'ok\n', '(\\d+)%', null],
  ['no expression', '1%', '(', null],
  ['an expression that would take other engines for ever', `${'a'.repeat(5_000)}1`, '(a*)*b', null],
])('finds coverage: %s', async (_, log, pattern, expected) => {
  expect(await findCoverage(log, pattern)).toBe(expected);
});

it.each(['(?:x*){1000}\\d', 'x(?:.*y)?'])(
  'does not search a long log with %s for ever, and others have their turn',
  async (pattern) => {
    const began = process.cpuUsage();
    let turns = 0;
    const watch = setInterval(() => (turns += 1), 1);
    expect(await findCoverage(Array(256).fill('x'.repeat(4_095)).join('\n'), pattern)).toBeNull();
    clearInterval(watch);
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(5_000);
    expect(turns).toBeGreaterThan(1);
  },
);
