import { keptHeaders } from './kept-headers.js';

it('keeps what tells who called, and nothing that lets in', () => {
  const headers = {
    host: 'ci.example.com',
    'user-agent': 'curl/8.0',
    'content-type': 'application/json',
    'x-github-event': 'push',
    authorization: 'Bearer glpat-secret',
    cookie: 'flagfall_session=secret',
    'private-token': 'glpat-secret',
    'x-gitlab-token': 'secret',
    'x-hub-signature-256': 'sha256=secret',
    'x-forwarded-for': '192.0.2.1',
  };
  expect(keptHeaders(headers)).toEqual({
    'user-agent': 'curl/8.0',
    'content-type': 'application/json',
    'x-github-event': 'push',
  });
});

it('tells of keys only that they were there', () => {
  expect(keptHeaders({ 'idempotency-key': 'as good as a secret', 'webhook-id': 'msg_1' })).toEqual({
    'idempotency-key': '[REDACTED]',
    'webhook-id': '[REDACTED]',
  });
});

it('hides tokens, and cuts what is long', () => {
  const headers = { 'user-agent': 'script glptt-0123456789', 'x-request-id': 'x'.repeat(300) };
  expect(keptHeaders(headers)).toEqual({ 'user-agent': 'script glptt-[MASKED]', 'x-request-id': 'x'.repeat(256) });
});
