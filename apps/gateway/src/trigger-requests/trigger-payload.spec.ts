import { triggerPayload } from './trigger-payload.js';

describe('triggerPayload', () => {
  it.each([
    ['a form', { token: 't', ref: 'master', id: '42' }, '{"ref":"master","id":"42","variables":{}}'],
    [
      'a webhook',
      { token: 't', ref: 'main', commits: [], id: 'a/b' },
      '{"ref":"main","commits":[],"id":"a/b","variables":{}}',
    ],
    [
      'variables, where they stand',
      { variables: { A: '1' }, ref: 'm', id: '1' },
      '{"variables":{"A":"1"},"ref":"m","id":"1"}',
    ],
    ['variables of null', { variables: null, ref: 'm', id: '1' }, '{"ref":"m","id":"1","variables":{}}'],
    [
      'no credentials',
      { private_token: 'x', job_token: 'x', access_token: 'x', ref: 'm', id: '1' },
      '{"ref":"m","id":"1","variables":{}}',
    ],
  ])('%s', (_, sent, expected) => {
    expect(triggerPayload(sent)).toBe(expected);
  });
});
