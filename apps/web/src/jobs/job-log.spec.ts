import { JobLog, markedSpans } from './job-log.js';

function read(...chunks: string[]): JobLog {
  const log = new JobLog();
  for (const chunk of chunks) log.append(chunk);
  log.end();
  return log;
}
const lines = (log: JobLog) => Array.from({ length: log.size }, (_, index) => log.line(index));
const texts = (log: JobLog) => lines(log).map(({ spans }) => spans.map(({ text }) => text).join(''));
const shown = (log: JobLog, folded: number[]) => log.shown(new Set(folded)).map((index) => texts(log)[index]);

const e = '\u001b';

test('lines come together from pieces, and the last one needs no end', () => {
  expect(texts(read('a\nb', 'c\n', '\nlast'))).toEqual(['a', 'bc', '', 'last']);
  expect(texts(read(''))).toEqual([]);
});

test('the open line is not shown until it ends', () => {
  const log = new JobLog();
  log.append('a\nhalf');
  expect(texts(log)).toEqual(['a']);
});

test('colours are classes, and go on from line to line', () => {
  const [first, second, third] = lines(read(`${e}[31mred\nstill${e}[0m plain\n${e}[1mbold`));
  expect(first?.spans).toEqual([{ text: 'red', classes: 'ansi-red-fg' }]);
  expect(second?.spans).toEqual([
    { text: 'still', classes: 'ansi-red-fg' },
    { text: ' plain', classes: '' },
  ]);
  expect(third?.spans).toEqual([{ text: 'bold', classes: 'ansi-bold' }]);
});

test.each([
  ['10%\r20%\r100%', '100%'],
  ['windows\r', 'windows'],
  [`${e}]0;title\u0007text`, 'text'],
  [`${e}]8;;https://example.com${e}\\link${e}]8;;${e}\\`, 'link'],
  [`${e}[2J${e}[1;1Hhome${e}(B${e}[?25l`, 'home'],
  [`bell\u0007 and\b nul\0`, 'bell and nul'],
  [`cut${e}[31`, 'cut'],
  [`cut${e}]0;title`, 'cut'],
  [`${e}`, ''],
  ['<b>&amp;</b>', '<b>&amp;</b>'],
])('%j is shown as %j', (line, text) => {
  expect(texts(read(line))).toEqual([text]);
});

test.each([
  ['38;5;196', 'ansi-bright-red-fg'],
  ['38;5;22', 'ansi-green-fg'],
  ['48;5;21', 'ansi-bright-blue-bg'],
  ['38;5;240', 'ansi-white-fg'],
  ['38;2;255;255;0', 'ansi-bright-yellow-fg'],
  ['38;2;1;2;3', 'ansi-black-fg'],
  ['94', 'ansi-bright-blue-fg'],
])('the colour %s is shown as %s', (code, classes) => {
  expect(read(`${e}[${code}mx`).line(0).spans).toEqual([{ text: 'x', classes }]);
});

describe('sections', () => {
  const log = read(
    'before\n',
    `section_start:100:get_sources\r${e}[0K${e}[36mGetting source${e}[0m\nfetching\n`,
    `section_start:101:inner[collapsed=true]\r${e}[0KInner\ndeep\nsection_end:102:inner\r${e}[0K`,
    `section_end:105:get_sources\r${e}[0K\nafter\n`,
  );

  test('have a heading, a time and a place in another', () => {
    expect(log.sections).toEqual([
      { name: 'get_sources', parent: -1, folded: false, startedAt: 100, endedAt: 105 },
      { name: 'inner', parent: 0, folded: true, startedAt: 101, endedAt: 102 },
    ]);
    expect(texts(log)).toEqual(['before', 'Getting source', 'fetching', 'Inner', 'deep', 'after']);
    expect(lines(log).map(({ heads }) => heads)).toEqual([-1, 0, -1, 1, -1, -1]);
  });

  test.each([
    [[], ['before', 'Getting source', 'fetching', 'Inner', 'deep', 'after']],
    [[1], ['before', 'Getting source', 'fetching', 'Inner', 'after']],
    [[0], ['before', 'Getting source', 'after']],
    [
      [0, 1],
      ['before', 'Getting source', 'after'],
    ],
  ])('fold: %j', (folded, lines) => {
    expect(shown(log, folded)).toEqual(lines);
  });

  test('two marks on a line: one ends, the next begins', () => {
    const two = read(`section_start:1:a\r${e}[0KA\nsection_end:2:a\r${e}[0Ksection_start:2:b\r${e}[0KB\nx\n`);
    expect(two.sections.map(({ name, parent, endedAt }) => [name, parent, endedAt])).toEqual([
      ['a', -1, 2],
      ['b', -1, null],
    ]);
    expect(texts(two)).toEqual(['A', 'B', 'x']);
  });

  test('the end of an outer one ends those in it; an end without a start is nothing', () => {
    const odd = read(`section_start:1:a\rA\nsection_start:2:b\rB\nsection_end:3:a\r\nsection_end:4:c\r\nlast\n`);
    expect(odd.sections.map(({ endedAt }) => endedAt)).toEqual([3, 3]);
    expect(texts(odd).at(-1)).toBe('last');
  });
});

test('search knows no case and looks across colours', () => {
  const log = read(`nothing\nthe ${e}[31mER${e}[0mROR here\nerror\n`);
  expect(log.find('error')).toEqual([1, 2]);
  expect(log.find('')).toEqual([]);
});

test('what was searched for is apart, in the looks that it has', () => {
  const { spans } = read(`an ${e}[31mER${e}[0mror, Error`).line(0);
  expect(markedSpans(spans, 'error').map(({ text, match }) => [text, match])).toEqual([
    ['an ', false],
    ['ER', true],
    ['ror', true],
    [', ', false],
    ['Error', true],
  ]);
  expect(markedSpans(spans, '')).toEqual(spans.map((span) => ({ ...span, match: false })));
});

test('the last of 100,000 lines has the colour that the first began, and nothing is read twice', () => {
  const cost = (count: number) => {
    const began = performance.now();
    const log = read(
      `${e}[32m`,
      ...Array.from({ length: count }, (_, index) => `${e}[1mline ${index}${e}[22m\n`),
      'end',
    );
    expect(log.line(count).spans).toEqual([{ text: 'end', classes: 'ansi-green-fg' }]);
    for (let index = count; index >= 0; index -= 10) log.line(index);
    return performance.now() - began;
  };
  cost(1_000);
  expect(cost(100_000) / Math.max(1, cost(10_000))).toBeLessThan(60);
});
