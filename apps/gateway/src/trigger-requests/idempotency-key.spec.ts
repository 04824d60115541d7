import { idempotencyKey, sentKey } from './idempotency-key.js';
import type { TriggerRequest } from './ledger.js';

const request = {
  projectId: 1,
  ref: 'main',
  payload: '{"ref":"main"}',
  trigger: { id: 7, shortToken: 'abcd' },
  upstream: null,
} as TriggerRequest;

it.each<[string, Record<string, string>, string | undefined]>([
  ['none', { 'user-agent': 'curl' }, undefined],
  ['Idempotency-Key', { 'idempotency-key': 'a b' }, 'a b'],
  ['webhook-id', { 'webhook-id': 'msg_1' }, 'msg_1'],
  ['both: the first counts', { 'webhook-id': 'msg_1', 'idempotency-key': 'k' }, 'k'],
  ['another header is no key', { 'x-github-delivery': 'd' }, undefined],
])('%s', (_, headers, expected) => {
  expect(sentKey(headers)).toBe(expected);
});

it.each(['', ' ', 'x'.repeat(256), 'ä'])('refuses %j', (value) => {
  expect(() => sentKey({ 'idempotency-key': value })).toThrow(expect.objectContaining({ status: 400 }));
});

it('counts for one trigger, and tells requests apart', () => {
  const one = idempotencyKey('k', request);
  expect(idempotencyKey('k', { ...request })).toEqual(one);
  expect(idempotencyKey('l', request).hash).not.toEqual(one.hash);
  expect(idempotencyKey('k', { ...request, trigger: { id: 8, shortToken: 'abcd' } }).hash).not.toEqual(one.hash);
  const job = { projectId: 1, pipelineId: 1, jobId: 7 };
  expect(idempotencyKey('k', { ...request, trigger: null, upstream: job }).hash).not.toEqual(one.hash);
  for (const change of [{ ref: 'x' }, { payload: '{}' }, { projectId: 2 }])
    expect(idempotencyKey('k', { ...request, ...change })).toEqual({
      hash: one.hash,
      fingerprint: expect.not.objectContaining(one.fingerprint),
    });
});
