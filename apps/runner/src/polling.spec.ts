import { FIRST_POLL, nextPoll, type PollResult } from './polling.js';

function pauses(results: PollResult[], random = 0): number[] {
  let state = FIRST_POLL;
  return results.map((result) => {
    const next = nextPoll(state, result, random);
    state = next.state;
    return next.pauseMs;
  });
}

test('held requests follow each other without a gap', () => {
  expect(pauses(Array(3).fill({ kind: 'nothing', heldMs: 50_000 }))).toEqual([0, 0, 0]);
});

test('a coordinator that does not hold is asked every three seconds, but for the first answer', () => {
  expect(pauses(Array(3).fill({ kind: 'nothing', heldMs: 10 }))).toEqual([0, 2990, 2990]);
});

test('troubles back off to a minute, with jitter, and are forgotten with the first answer', () => {
  const trouble: PollResult = { kind: 'trouble', askedPauseMs: undefined };
  expect(pauses([...Array(12).fill(trouble), { kind: 'nothing', heldMs: 5000 }, trouble])).toEqual([
    125, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 0, 125,
  ]);
  expect(pauses([trouble], 0.99)[0]).toBeCloseTo(248.75);
});

test('a pause that the coordinator asks for is kept, within reason', () => {
  expect(pauses([{ kind: 'trouble', askedPauseMs: 7000 }], 0.5)).toEqual([7500]);
  expect(pauses([{ kind: 'trouble', askedPauseMs: 10 ** 9 }])).toEqual([900_000]);
});

test('a refused token polls ever more slowly, up to ten minutes', () => {
  expect(pauses(Array(6).fill({ kind: 'refused' }), 0.999_999_9).map(Math.round)).toEqual([
    60_000, 120_000, 240_000, 480_000, 600_000, 600_000,
  ]);
});
