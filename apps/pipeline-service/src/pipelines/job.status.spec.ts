import { statuses } from '#libs/contracts';
import { cancelable, isFinished, type JobHappening, nextJobStatus, transitions } from './job.status.js';

describe('a job', () => {
  it.each<[string, JobHappening, string | null]>([
    ['created', 'enqueue', 'pending'],
    ['created', 'block', 'manual'],
    ['created', 'delay', 'scheduled'],
    ['created', 'skip', 'skipped'],
    ['manual', 'play', 'pending'],
    ['scheduled', 'play', 'pending'],
    ['pending', 'pick', 'running'],
    ['running', 'succeed', 'success'],
    ['running', 'fail', 'failed'],
    ['running', 'cancel', 'canceled'],
    ['running', 'cancel-gracefully', 'canceling'],
    ['canceling', 'fail', 'canceled'],
    ['canceling', 'succeed', 'canceled'],
    ['skipped', 'revive', 'created'],
    // Reports may overtake each other.
    ['pending', 'succeed', 'success'],
    ['pending', 'fail', 'failed'],
    // What has ended stays.
    ['success', 'fail', null],
    ['failed', 'succeed', null],
    ['canceled', 'pick', null],
    ['running', 'pick', null],
    ['created', 'pick', null],
    ['manual', 'enqueue', null],
  ])('%s, on %s → %s', (from, happening, to) => {
    expect(nextJobStatus(from as (typeof statuses)[number], happening)).toBe(to);
  });

  it('ends for good, unless it was skipped', () => {
    expect(statuses.filter(isFinished)).toEqual(['success', 'failed', 'canceled', 'skipped']);
    expect(nextJobStatus('skipped', 'revive')).toBe('created');
  });

  it('that waits for a person is not canceled with its pipeline', () => {
    expect(cancelable).not.toContain('manual');
    expect(cancelable).toEqual(expect.arrayContaining(['created', 'pending', 'running', 'scheduled']));
  });

  it('has one source for the updates of the database', () => {
    expect(transitions('play')).toEqual([
      { from: 'manual', to: 'pending' },
      { from: 'scheduled', to: 'pending' },
    ]);
  });
});
