import fc from 'fast-check';
import { compositeStatus, type Status, type StatusOfJob } from './composite-status.js';

/** `failed!` is a job that may fail, `manual!` one that nobody has to play. */
function jobs(text: string): StatusOfJob[] {
  return text
    .split('+')
    .filter((word) => word !== '')
    .map((word) => ({ status: word.replace('!', '') as Status, allowFailure: word.endsWith('!') }));
}

describe('samples of ci-config.md §6.2', () => {
  test.each([
    ['success+created', 'running'],
    ['failed+created', 'running'],
    ['failed!+created', 'created'],
    ['success+failed!', 'success'],
    ['canceled+failed', 'failed'],
    ['canceled+success', 'canceled'],
    ['manual+success', 'manual'],
    ['manual!+success', 'success'],
    ['manual!', 'skipped'],
    ['skipped+created', 'pending'],
  ])('%s: %s', (text, expected) => expect(compositeStatus(jobs(text))).toBe(expected));

  test.each([
    ['running+skipped', 'skipped'],
    ['manual!+success', 'skipped'],
  ])('needs %s: %s', (text, expected) => expect(compositeStatus(jobs(text), { dag: true })).toBe(expected));
});

describe('lines of ci-config.md §6.2, each where no line before it applies', () => {
  test.each([
    // 1–2
    ['', null],
    ['skipped+skipped', 'skipped'],
    ['skipped+manual!', 'skipped'],
    // 3
    ['success+skipped', 'success'],
    ['failed!', 'success'],
    ['canceled!+success', 'success'],
    ['success+skipped+failed!+manual!', 'success'],
    // 4–5
    ['created+created', 'created'],
    ['created+manual!+canceled!', 'created'],
    ['preparing', 'preparing'],
    ['preparing+failed!', 'preparing'],
    ['preparing+manual!', 'preparing'],
    // 6–7
    ['canceled', 'canceled'],
    ['canceled+skipped', 'canceled'],
    ['canceled+failed!+manual!', 'canceled'],
    ['pending+created', 'pending'],
    ['pending+skipped+failed!', 'pending'],
    // 8
    ['pending+success', 'running'],
    ['running', 'running'],
    ['running+failed', 'running'],
    ['running+manual', 'running'],
    ['running+canceling', 'running'],
    ['pending+canceled', 'running'],
    // 9
    ['waiting_for_resource+success', 'waiting_for_resource'],
    ['waiting_for_callback+success', 'waiting_for_callback'],
    ['waiting_for_callback+waiting_for_resource', 'waiting_for_resource'],
    ['waiting_for_resource+manual+failed', 'waiting_for_resource'],
    // 10
    ['manual+failed', 'manual'],
    ['manual+scheduled', 'manual'],
    ['manual', 'manual'],
    ['scheduled+preparing', 'scheduled'],
    ['scheduled+success', 'scheduled'],
    ['preparing+success', 'preparing'],
    ['manual+created', 'manual'],
    // 11
    ['created+canceled', 'running'],
    ['created+success+failed', 'running'],
    ['canceling+created', 'running'],
    // 12–13
    ['canceling+success', 'canceling'],
    ['canceling+failed', 'canceling'],
    ['failed+success', 'failed'],
    ['failed', 'failed'],
    ['failed+skipped+failed!', 'failed'],
  ])('%s: %s', (text, expected) => expect(compositeStatus(jobs(text))).toBe(expected));

  test.each([
    ['success+success', 'success'],
    ['', null],
    ['success+failed', 'failed'],
    ['success+failed!', 'success'],
    ['failed+skipped', 'skipped'],
    ['running+manual!', 'skipped'],
    ['success+running', 'running'],
    ['success+manual', 'manual'],
    ['canceled+success', 'canceled'],
  ])('needs %s: %s', (text, expected) => expect(compositeStatus(jobs(text), { dag: true })).toBe(expected));
});

test('neither the order of jobs nor their number matters, only which statuses there are', () => {
  const status = fc.constantFrom<Status>(
    'created',
    'waiting_for_resource',
    'preparing',
    'waiting_for_callback',
    'pending',
    'running',
    'success',
    'failed',
    'canceling',
    'canceled',
    'skipped',
    'manual',
    'scheduled',
  );
  const job = fc.record({ status, allowFailure: fc.boolean() });
  fc.assert(
    fc.property(fc.array(job, { maxLength: 6 }), fc.boolean(), (list, dag) => {
      const expected = compositeStatus(list, { dag });
      expect(compositeStatus(list.toReversed(), { dag })).toBe(expected);
      expect(compositeStatus([...list, ...list], { dag })).toBe(expected);
    }),
  );
});
