import { derivedStatusToken, idempotencyKey, sentKey } from './idempotency-key.js';
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
  ['a quoted one: the same', { 'idempotency-key': '"a b"' }, 'a b'],
  ['quotes in it', { 'idempotency-key': '"a\\"b\\\\"' }, 'a"b\\'],
  ['a quote that does not end', { 'idempotency-key': '"a' }, '"a'],
  ['webhook-id is never quoted', { 'webhook-id': '"a"' }, '"a"'],
  ['webhook-id', { 'webhook-id': 'msg_1' }, 'msg_1'],
  ['both: the first counts', { 'webhook-id': 'msg_1', 'idempotency-key': 'k' }, 'k'],
  ['another header is no key', { 'x-github-delivery': 'd' }, undefined],
])('%s', (_, headers, expected) => {
  expect(sentKey(headers)).toBe(expected);
});

it.each(['', ' ', '""', '" "', 'x'.repeat(256), 'ä'])('refuses %j', (value) => {
  expect(() => sentKey({ 'idempotency-key': value })).toThrow(expect.objectContaining({ status: 400 }));
});

it('counts for one trigger, and tells requests apart', () => {
  const one = idempotencyKey('k', request, 't');
  expect(idempotencyKey('k', { ...request }, 't')).toEqual(one);
  expect(idempotencyKey('l', request, 't').hash).not.toEqual(one.hash);
  expect(idempotencyKey('k', { ...request, trigger: { id: 8, shortToken: 'abcd' } }, 't').hash).not.toEqual(one.hash);
  const job = { projectId: 1, pipelineId: 1, jobId: 7 };
  expect(idempotencyKey('k', { ...request, trigger: null, upstream: job }, 't').hash).not.toEqual(one.hash);
  for (const change of [{ ref: 'x' }, { payload: '{}' }, { projectId: 2 }])
    expect(idempotencyKey('k', { ...request, ...change }, 't')).toEqual({
      hash: one.hash,
      fingerprint: expect.not.objectContaining(one.fingerprint),
      secret: one.secret,
    });
});

it.each([
  [
    '{"ref":"main","variables":{"A":"1","B":"2"},"id":"1"}',
    '{"variables":{"B":"2","A":"1"},"ref":"main","id":"group/app"}',
    true,
  ],
  ['{"variables":{"A":"1"}}', '{"variables":{"A":"2"}}', false],
  ['{"variables":{"A":"1"}}', '{"variables":{"A":1}}', false],
  ['{"a":[1,2]}', '{"a":[2,1]}', false],
  ['{"a":{"b":1}}', '{"a":[["b",1]]}', false],
  ['{"a":{}}', '{"a":[]}', false],
])('the order of parameters and the project’s spelling make no other request: %s and %s', (one, other, same) => {
  const [first, second] = [one, other].map((payload) => idempotencyKey('k', { ...request, payload }, 't').fingerprint);
  expect(first?.equals(second as Buffer)).toBe(same);
});

it('makes one status token of token, key and request, and none of less', () => {
  const token = (key: string, secret: string, requestId: string) =>
    derivedStatusToken(idempotencyKey(key, request, secret), requestId);
  const one = token('k', 't', '1');
  expect(one).toMatch(/^[0-9a-f]{32}$/);
  expect(token('k', 't', '1')).toBe(one);
  for (const other of [token('l', 't', '1'), token('k', 'u', '1'), token('k', 't', '2')]) expect(other).not.toBe(one);
});
