import type { Status } from './composite-status.js';
import { nextStatuses, type ProcessableJob } from './next-statuses.js';

const job = (name: string, stageIdx: number, more: Partial<ProcessableJob> = {}): ProcessableJob => ({
  name,
  stageIdx,
  status: 'created',
  when: 'on_success',
  scheduling: more.needs ? 'dag' : 'stage',
  needs: [],
  allowFailure: false,
  ...more,
});
const done = (name: string, stageIdx: number, status: Status, more: Partial<ProcessableJob> = {}) =>
  job(name, stageIdx, { status, ...more });

// ci-config.md §6.3: what proceeds, and the consequences listed there.
test.each<[string, ProcessableJob[], Record<string, Status>]>([
  ['the first stage starts', [job('a', 1), job('b', 1), job('c', 2)], { a: 'pending', b: 'pending' }],
  [
    'on_failure in the first stage is skipped',
    [job('a', 1, { when: 'on_failure' }), job('b', 2)],
    { a: 'skipped', b: 'pending' },
  ],
  ['on_failure with empty needs is skipped', [job('a', 1, { when: 'on_failure', needs: [] })], { a: 'skipped' }],
  ['a later stage waits', [done('a', 1, 'running'), job('b', 2)], {}],
  ['a later stage starts after success', [done('a', 1, 'success'), job('b', 2), job('c', 3)], { b: 'pending' }],
  ['only the jobs before count', [done('a', 2, 'failed'), job('b', 1)], { b: 'pending' }],
  [
    'a failure skips on_success, runs on_failure and always',
    [done('a', 1, 'failed'), job('b', 2), job('c', 2, { when: 'on_failure' }), job('d', 2, { when: 'always' })],
    { b: 'skipped', c: 'pending', d: 'pending' },
  ],
  [
    'an allowed failure counts as success',
    [done('a', 1, 'failed', { allowFailure: true }), job('b', 2), job('c', 2, { when: 'on_failure' })],
    { b: 'pending', c: 'skipped' },
  ],
  [
    'after canceled nothing runs, not even always',
    [done('a', 1, 'canceled'), job('b', 2, { when: 'always' })],
    { b: 'skipped' },
  ],
  [
    'a manual job that need not be played lets later stages go on',
    [job('a', 1, { when: 'manual', allowFailure: true }), job('b', 2)],
    { a: 'manual', b: 'pending' },
  ],
  [
    'but a job that needs it is skipped at once',
    [job('a', 1, { when: 'manual', allowFailure: true }), job('b', 2, { needs: ['a'] })],
    { a: 'manual', b: 'skipped' },
  ],
  ['a manual job that blocks', [job('a', 1, { when: 'manual' }), job('b', 2)], { a: 'manual' }],
  ['delayed', [job('a', 1, { when: 'delayed' }), job('b', 2)], { a: 'scheduled' }],
  [
    'empty needs start at once, before .pre has ended',
    [done('p', 0, 'running'), job('a', 3, { needs: [] })],
    { a: 'pending' },
  ],
  [
    'needs are enough',
    [done('a', 1, 'success'), done('b', 1, 'running'), job('c', 2, { needs: ['a'] })],
    { c: 'pending' },
  ],
  [
    'always with one skipped need starts although others run',
    [done('a', 1, 'skipped'), done('b', 1, 'running'), job('c', 2, { needs: ['a', 'b'], when: 'always' })],
    { c: 'pending' },
  ],
  [
    'skipped is harmless between stages',
    [done('a', 1, 'skipped'), done('b', 1, 'success'), job('c', 2)],
    { c: 'pending' },
  ],
  [
    'skipped spreads along needs, whatever the order of the list',
    [
      job('d', 1, { needs: ['c'] }),
      job('c', 1, { needs: ['b'] }),
      job('b', 1, { needs: ['a'] }),
      done('a', 1, 'failed'),
    ],
    { b: 'skipped', c: 'skipped', d: 'skipped' },
  ],
  [
    'a stage whose jobs are all skipped lets the next decide',
    [done('a', 1, 'failed'), job('b', 2), job('c', 3, { when: 'on_failure' })],
    { b: 'skipped', c: 'pending' },
  ],
  [
    'a stage job waits for jobs with needs in earlier stages',
    [job('a', 1, { needs: ['x'] }), done('x', 1, 'running'), job('b', 2)],
    {},
  ],
  ['nothing to do', [done('a', 1, 'success')], {}],
])('%s', (_, jobs, expected) => expect(Object.fromEntries(nextStatuses(jobs))).toEqual(expected));

test('a chain of 2 000 skipped jobs is decided in one call and at once', () => {
  const chain = Array.from({ length: 2_000 }, (_, i) => job(`j${i}`, 1, { needs: [`j${i + 1}`] }));
  const started = performance.now();
  expect(nextStatuses([...chain, done('j2000', 1, 'failed')]).size).toBe(2_000);
  expect(performance.now() - started).toBeLessThan(1_000);
});
