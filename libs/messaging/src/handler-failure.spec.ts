import { decideFate, describe as inOneLine, RetryLater, retryQueues, Unprocessable } from './handler-failure.js';

const delays = [1_000, 5_000, 30_000];

describe('the fate of a failed message', () => {
  it.each([
    ['the first attempt', new Error('x'), 1, { retry: { afterMs: 1_000, attempt: 2 } }],
    ['the third attempt', new Error('x'), 3, { retry: { afterMs: 30_000, attempt: 4 } }],
    ['the last attempt', new Error('no disk'), 4, { park: 'failed 4 times, at last: no disk' }],
    [
      'an attempt beyond the last, after fewer were configured',
      new Error('x'),
      9,
      { park: 'failed 9 times, at last: x' },
    ],
    ['something thrown that is no error', 'text', 4, { park: 'failed 4 times, at last: text' }],
    ['Unprocessable', new Unprocessable('no such ref'), 1, { park: 'no such ref' }],
    ['RetryLater of nothing', new RetryLater(0), 2, { retry: { afterMs: 1_000, attempt: 2 } }],
    ['RetryLater between two queues', new RetryLater(1_001), 2, { retry: { afterMs: 5_000, attempt: 2 } }],
    ['RetryLater of exactly one queue', new RetryLater(5_000), 1, { retry: { afterMs: 5_000, attempt: 1 } }],
    ['RetryLater beyond all queues', new RetryLater(3_600_000), 1, { retry: { afterMs: 30_000, attempt: 1 } }],
    ['RetryLater in the last attempt', new RetryLater(1), 4, { retry: { afterMs: 1_000, attempt: 4 } }],
  ])('%s', (_what, error, attempt, fate) => {
    expect(decideFate(error, attempt, delays)).toEqual(fate);
  });

  it('without delays is parking after one attempt, but putting off is still possible', () => {
    expect(decideFate(new Error('x'), 1, [])).toEqual({ park: 'failed 1 time, at last: x' });
    expect(decideFate(new RetryLater(10), 1, [])).toEqual({ retry: { afterMs: 1_000, attempt: 1 } });
    expect(retryQueues([])).toEqual([1_000]);
  });
});

it('every delay has one retry queue', () => {
  expect(retryQueues([5, 5, 20])).toEqual([5, 20]);
});

it.each([
  [new Error('first\nsecond'), 'first'],
  [new TypeError(''), 'TypeError'],
  [new Error('x'.repeat(600)), 'x'.repeat(500)],
  [undefined, 'undefined'],
])('an error is told in one line', (error, line) => {
  expect(inOneLine(error)).toBe(line);
});
