import { busySeconds } from './pipeline-duration.js';

const span = (from: number, to: number | null) => ({
  startedAt: new Date(from * 1000),
  finishedAt: to === null ? null : new Date(to * 1000),
});

describe('busySeconds', () => {
  it.each([
    ['nothing', [], 0],
    ['one job', [span(0, 10)], 10],
    ['jobs side by side, counted once', [span(0, 10), span(5, 12)], 12],
    ['a job within another', [span(0, 10), span(2, 3)], 10],
    ['a pause, not counted', [span(0, 10), span(60, 65)], 15],
    ['a job that has not ended', [span(0, 10), span(5, null)], 10],
    ['jobs in any order', [span(60, 65), span(0, 10)], 15],
  ])('%s', (_, jobs, expected) => {
    expect(busySeconds(jobs)).toBe(expected);
  });
});
