import { reactToFinalUpdate, reactToTrace, reactToUpdate, updateInterval } from './reactions.js';

/** runner-api.md §3.2, §4.2: status, Job-Status, then what each kind of call makes of it. */
test.each([
  [200, 'running', 'go-on', 'retry', 'done'],
  [202, 'running', 'go-on', 'go-on', 'again'],
  [202, 'canceling', 'cancel', 'cancel', 'again'],
  [200, 'canceling', 'cancel', 'cancel', 'done'],
  [200, 'canceled', 'abort', 'abort', 'done'],
  [200, 'failed', 'abort', 'abort', 'done'],
  [403, 'success', 'abort', 'abort', 'done'],
  [403, undefined, 'abort', 'abort', 'done'],
  [404, undefined, 'abort', 'retry', 'done'],
  [412, 'running', 'go-on', 'retry', 'resend-log'],
  [500, undefined, 'go-on', 'retry', 'retry'],
  [503, 'running', 'go-on', 'retry', 'retry'],
  [400, undefined, 'go-on', 'retry', 'retry'],
])('%i with Job-Status %s: update %s, trace %s, end %s', (status, jobStatus, update, trace, final) => {
  const answer = { status, headers: { 'job-status': jobStatus } };
  expect([reactToUpdate(answer), reactToTrace(answer), reactToFinalUpdate(answer)]).toEqual([update, trace, final]);
});

test.each([
  ['3', 3000],
  ['10000', 900_000],
  ['0', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  [undefined, undefined],
])('update interval %j is %j ms', (header, expected) => {
  expect(updateInterval({ headers: { 'x-gitlab-trace-update-interval': header } })).toBe(expected);
});
