import { clearSessionCookie, readSessionCookie, writeSessionCookie } from './session-cookie.js';

const http = 'http://localhost:8080';
const https = 'https://ci.example.com';
const now = new Date('2030-01-01T00:00:00Z');

it.each([
  [http, 'flagfall_session=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=60'],
  [https, '__Host-flagfall_session=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=60; Secure'],
])('what is written for %s', (externalUrl, cookie) => {
  expect(writeSessionCookie('abc', new Date('2030-01-01T00:01:00.900Z'), now, externalUrl)).toBe(cookie);
});

it('taken away', () => {
  expect(clearSessionCookie(http)).toBe('flagfall_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0');
});

it.each([
  [undefined, undefined],
  ['', undefined],
  ['flagfall_session=', undefined],
  ['flagfall_session=abc', 'abc'],
  ['other=1; flagfall_session=abc ;last=2', 'abc'],
  ['xflagfall_session=abc', undefined],
  ['__Host-flagfall_session=abc', undefined],
  ['flagfall_session', undefined],
])('%j holds %j', (header, secret) => expect(readSessionCookie(header, http)).toBe(secret));

it('over https only the one that nobody else can have set', () => {
  expect(readSessionCookie('flagfall_session=planted; __Host-flagfall_session=abc', https)).toBe('abc');
  expect(readSessionCookie('flagfall_session=planted', https)).toBeUndefined();
});
