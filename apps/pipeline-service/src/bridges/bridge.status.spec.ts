import { statuses } from '#libs/contracts';
import { followed } from './bridge.status.js';

it.each(statuses)('a job goes with a pipeline that is %s', (status) => {
  const expected = { success: 'succeed', failed: 'fail', canceled: 'cancel' }[status as string] ?? null;
  expect(followed('depend', status)).toBe(status === 'skipped' ? 'fail' : expected);
  expect(followed('mirror', status)).toBe(status === 'skipped' ? 'skip' : expected);
});
