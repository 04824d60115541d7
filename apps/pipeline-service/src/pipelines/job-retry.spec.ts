import { isRetried } from './job-retry.js';

describe('isRetried', () => {
  it.each<[string, Parameters<typeof isRetried>, boolean]>([
    ['without a word', [undefined, 0, 'script_failure', 1], false],
    ['a job that could not be handed out', [undefined, 1, 'scheduler_failure', null], true],
    ['that again and again', [undefined, 2, 'scheduler_failure', null], false],
    ['max 1, first failure', [{ max: 1 }, 0, 'script_failure', 1], true],
    ['max 1, second failure', [{ max: 1 }, 1, 'script_failure', 1], false],
    ['for another reason', [{ max: 2, when: ['runner_system_failure'] }, 0, 'script_failure', 1], false],
    ['for this reason', [{ max: 2, when: ['runner_system_failure'] }, 0, 'runner_system_failure', null], true],
    ['always', [{ max: 2, when: ['always'] }, 0, 'unknown_failure', null], true],
    ['by exit code alone', [{ max: 2, exitCodes: [7] }, 0, 'script_failure', 7], true],
    ['another exit code', [{ max: 2, exitCodes: [7] }, 0, 'script_failure', 8], false],
    ['either', [{ max: 2, exitCodes: [7], when: ['script_failure'] }, 0, 'script_failure', 8], true],
    ['what another attempt cannot mend', [{ max: 2 }, 0, 'missing_dependency_failure', null], false],
  ])('%s', (_, args, expected) => {
    expect(isRetried(...args)).toBe(expected);
  });
});
