import { createHash } from 'node:crypto';
import { TriggerSecrets } from './trigger-secrets.js';

const retrievable = (secretKey: string) => new TriggerSecrets({ triggerTokens: 'retrievable', secretKey });
const key = 'k'.repeat(32);

test('shown once: only the hash and four characters leave the gateway', () => {
  const made = new TriggerSecrets({ triggerTokens: 'once', secretKey: key }).make(7);
  expect(made).toEqual({
    token: expect.stringMatching(/^glptt-[0-9a-f]{40}$/),
    tokenHash: createHash('sha256').update(made.token).digest('hex'),
    shortToken: made.token.slice(6, 10),
    sealedToken: null,
  });
});

test('retrievable: sealed, and shown again from that', () => {
  const secrets = retrievable(key);
  const { token, sealedToken, shortToken } = secrets.make(7);
  expect(sealedToken).not.toContain(token);
  expect(Buffer.from(sealedToken ?? '', 'base64').includes(token)).toBe(false);
  expect(secrets.shown({ projectId: 7, shortToken, sealedToken })).toBe(token);
  expect(secrets.make(7).sealedToken).not.toBe(sealedToken);
});

test.each([
  ['nothing is sealed', (sealed: string) => ({ sealedToken: null as string | null, projectId: 7, by: key, sealed })],
  ['it lies in another project', (sealedToken: string) => ({ sealedToken, projectId: 8, by: key })],
  ['the key is another', (sealedToken: string) => ({ sealedToken, projectId: 7, by: 'x'.repeat(32) })],
  ['it is damaged', (sealed: string) => ({ sealedToken: `${sealed.slice(0, -4)}AAAA`, projectId: 7, by: key })],
  ['it is cut off', (sealed: string) => ({ sealedToken: sealed.slice(0, 20), projectId: 7, by: key })],
  ['it is no such thing', () => ({ sealedToken: 'Zm9v', projectId: 7, by: key })],
])('four characters are shown when %s', (_, change) => {
  const { sealedToken: sealed, shortToken } = retrievable(key).make(7);
  const { sealedToken, projectId, by } = change(sealed ?? '');
  expect(retrievable(by).shown({ projectId, shortToken, sealedToken })).toBe(shortToken);
});

test('tokens that were sealed are not shown any more after the change to once', () => {
  const { sealedToken, shortToken } = retrievable(key).make(7);
  const once = new TriggerSecrets({ triggerTokens: 'once', secretKey: key });
  expect(once.shown({ projectId: 7, shortToken, sealedToken })).toBe(shortToken);
});
