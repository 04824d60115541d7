import type { Status } from '#libs/contracts';
import { nextPipelineStatus } from './pipeline.status.js';

describe('the status that a pipeline shows', () => {
  it.each<[Status, Status | null, boolean, Status]>([
    ['created', 'pending', false, 'pending'],
    ['pending', 'running', true, 'running'],
    // Between two stages nothing runs for a moment.
    ['running', 'pending', true, 'running'],
    ['running', 'created', true, 'running'],
    // A finished one that starts again.
    ['failed', 'pending', true, 'running'],
    ['success', 'running', true, 'running'],
    ['running', 'success', true, 'success'],
    ['running', 'manual', true, 'manual'],
    ['failed', null, false, 'failed'],
  ])('was %s, its jobs give %s, started: %s → %s', (shown, composite, started, expected) => {
    expect(nextPipelineStatus(shown, composite, started)).toBe(expected);
  });
});
