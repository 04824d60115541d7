import { compositeStatus, type Status, type StatusOfJob } from './composite-status.js';

/** `failed!` is a job that may fail, `manual!` one that nobody has to play. */
function jobs(text: string): StatusOfJob[] {
  return text
    .split('+')
    .filter((word) => word !== '')
    .map((word) => ({ status: word.replace('!', '') as Status, allowFailure: word.endsWith('!') }));
}

// ci-config.md §6.2: samples, then each line of the rules.
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
  ['', null],
  ['skipped+skipped', 'skipped'],
  ['success+skipped', 'success'],
  ['failed!', 'success'],
  ['canceled!+success', 'success'],
  ['created+created', 'created'],
  ['preparing', 'preparing'],
  ['preparing+failed!', 'preparing'],
  ['canceled+skipped', 'canceled'],
  ['pending+created', 'pending'],
  ['pending+success', 'running'],
  ['running+failed', 'running'],
  ['waiting_for_resource+success', 'waiting_for_resource'],
  ['waiting_for_callback+success', 'waiting_for_callback'],
  ['waiting_for_callback+waiting_for_resource', 'waiting_for_resource'],
  ['manual+failed', 'manual'],
  ['manual+scheduled', 'manual'],
  ['scheduled+preparing', 'scheduled'],
  ['preparing+success', 'preparing'],
  ['manual+created', 'manual'],
  ['canceling+success', 'canceling'],
  ['canceling+created', 'running'],
  ['failed+success', 'failed'],
  ['failed', 'failed'],
])('%s: %s', (text, expected) => expect(compositeStatus(jobs(text))).toBe(expected));

test.each([
  ['running+skipped', 'skipped'],
  ['manual!+success', 'skipped'],
  ['success+success', 'success'],
  ['', null],
])('needs %s: %s', (text, expected) => expect(compositeStatus(jobs(text), { dag: true })).toBe(expected));
