import fc from 'fast-check';
import type { JobWhen } from '../job.js';
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

// ci-config.md §6.3, the table whole: each `when`, as a stage job and as one with needs, on each status before it.
describe('one job after another that is', () => {
  const before: Status[] = ['success', 'failed', 'canceled', 'skipped'];
  const proceeds: Record<JobWhen, Status> = {
    on_success: 'pending',
    manual: 'manual',
    delayed: 'scheduled',
    on_failure: 'pending',
    always: 'pending',
  };
  const rows: [JobWhen, stage: Status[], dag: Status[]][] = [
    ['on_success', ['success', 'skipped'], ['success']],
    ['manual', ['success', 'skipped'], ['success']],
    ['delayed', ['success', 'skipped'], ['success']],
    ['on_failure', ['failed'], ['failed']],
    ['always', ['success', 'failed', 'skipped'], ['success', 'failed', 'skipped']],
  ];
  test.each(
    rows.flatMap(([when, stage, dag]) =>
      before.map(
        (status) =>
          [
            status,
            when,
            stage.includes(status) ? proceeds[when] : 'skipped',
            dag.includes(status) ? proceeds[when] : 'skipped',
          ] as const,
      ),
    ),
  )('%s, %s: %s by its stage, %s by its needs', (status, when, byStage, byNeeds) => {
    const first = done('a', 1, status);
    expect(nextStatuses([first, job('b', 2, { when })]).get('b')).toBe(byStage);
    expect(nextStatuses([first, job('b', 2, { when, needs: ['a'] })]).get('b')).toBe(byNeeds);
  });

  test.each<Status>([
    'created',
    'waiting_for_resource',
    'preparing',
    'waiting_for_callback',
    'pending',
    'running',
    'canceling',
    'manual',
    'scheduled',
  ])('%s: it waits, whatever its `when`', (status) => {
    // Something that the job before waits for itself, lest a created one moves too.
    const first = done('a', 1, status, status === 'created' ? { needs: ['z'] } : {});
    const other = done('z', 1, 'running');
    for (const [when] of rows) {
      expect(nextStatuses([other, first, job('b', 2, { when })]).has('b')).toBe(false);
      expect(nextStatuses([other, first, job('b', 2, { when, needs: ['a'] })]).has('b')).toBe(false);
    }
  });
});

// ci-config.md §6.3–6.4: the caller gives the latest attempts, and `created` again for what was skipped because of the one before.
describe('played, retried and canceled jobs', () => {
  test('a blocking manual job that was played and ended lets the rest go on', () => {
    const rest = [job('b', 2), job('c', 3)];
    expect(nextStatuses([done('a', 1, 'manual', { when: 'manual' }), ...rest]).size).toBe(0);
    expect(nextStatuses([done('a', 1, 'pending', { when: 'manual' }), ...rest]).size).toBe(0);
    expect(Object.fromEntries(nextStatuses([done('a', 1, 'success', { when: 'manual' }), ...rest]))).toEqual({
      b: 'pending',
    });
  });

  test('a manual job that was skipped over and then played: what needs it waits anew', () => {
    const manual = done('a', 1, 'running', { when: 'manual', allowFailure: true });
    expect(nextStatuses([manual, job('b', 2, { needs: ['a'] })]).size).toBe(0);
    expect(nextStatuses([{ ...manual, status: 'success' }, job('b', 2, { needs: ['a'] })]).get('b')).toBe('pending');
  });

  test('a second attempt counts in place of the first', () => {
    const rest = [job('b', 2), job('c', 2, { when: 'on_failure' })];
    expect(nextStatuses([done('a', 1, 'running'), ...rest]).size).toBe(0);
    expect(Object.fromEntries(nextStatuses([done('a', 1, 'success'), ...rest]))).toEqual({
      b: 'pending',
      c: 'skipped',
    });
  });

  test('canceled jobs that may fail count as warnings', () =>
    expect(nextStatuses([done('a', 1, 'canceled', { allowFailure: true }), job('b', 2)]).get('b')).toBe('pending'));

  test('canceled beside failed counts as failed', () =>
    expect(
      Object.fromEntries(
        nextStatuses([
          done('a', 1, 'canceled'),
          done('b', 1, 'failed'),
          job('c', 2, { when: 'always' }),
          job('d', 2, { when: 'on_failure' }),
        ]),
      ),
    ).toEqual({ c: 'pending', d: 'pending' }));
});

describe('always', () => {
  const status = fc.constantFrom<Status>('created', 'running', 'success', 'failed', 'canceled', 'skipped', 'manual');
  const when = fc.constantFrom<JobWhen>('on_success', 'on_failure', 'always', 'manual', 'delayed');
  const pipeline = fc
    .array(fc.record({ status, when, allowFailure: fc.boolean(), stageIdx: fc.nat(3), needs: fc.array(fc.nat(7)) }), {
      maxLength: 8,
    })
    .map((list) =>
      list.map(({ needs, ...rest }, index): ProcessableJob => {
        // As the compiler lets through: needs of the same or an earlier stage, without a circle.
        const names = needs.filter((other) => other < index && (list[other]?.stageIdx ?? 9) <= rest.stageIdx);
        return {
          name: `j${index}`,
          ...rest,
          scheduling: names.length > 0 ? 'dag' : 'stage',
          needs: names.map((other) => `j${other}`),
        };
      }),
    );

  test('only created jobs move; a second look finds nothing; the order of the list does not matter', () => {
    fc.assert(
      fc.property(pipeline, (list) => {
        const moved = nextStatuses(list);
        for (const name of moved.keys()) expect(list.find((one) => one.name === name)?.status).toBe('created');
        const after = list.map((one) => ({ ...one, status: moved.get(one.name) ?? one.status }));
        expect(nextStatuses(after).size).toBe(0);
        const byName = (moves: Map<string, Status>) => Object.fromEntries(moves);
        expect(byName(nextStatuses(list.toReversed()))).toEqual(byName(moved));
      }),
      { numRuns: 500 },
    );
  });
});

test('a chain of 2 000 skipped jobs is decided in one call and at once', () => {
  const chain = Array.from({ length: 2_000 }, (_, i) => job(`j${i}`, 1, { needs: [`j${i + 1}`] }));
  const started = performance.now();
  expect(nextStatuses([...chain, done('j2000', 1, 'failed')]).size).toBe(2_000);
  expect(performance.now() - started).toBeLessThan(1_000);
});
