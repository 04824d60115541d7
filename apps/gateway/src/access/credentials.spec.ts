import type { IncomingHttpHeaders } from 'node:http';
import { findCredentials } from './credentials.js';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

it.each<[string, IncomingHttpHeaders, Record<string, unknown>, string | undefined]>([
  ['none', {}, {}, undefined],
  ['PRIVATE-TOKEN', { 'private-token': 'a' }, {}, 'a'],
  ['private_token', {}, { private_token: 'a' }, 'a'],
  ['Bearer', { authorization: 'Bearer a' }, {}, 'a'],
  ['bearer in lower case', { authorization: 'bearer a' }, {}, 'a'],
  ['access_token', {}, { access_token: 'a' }, 'a'],
  ['Basic', { authorization: basic('user:a') }, {}, 'a'],
  ['Basic without a user', { authorization: basic(':a') }, {}, 'a'],
  ['Basic with colons', { authorization: basic('user:a:b') }, {}, 'a:b'],
  ['Basic without a password', { authorization: basic('user:') }, {}, undefined],
  ['Basic that is none', { authorization: 'Basic %%%' }, {}, undefined],
  ['another scheme', { authorization: 'Digest a' }, {}, undefined],
  ['half a header', { authorization: 'Bearer' }, {}, undefined],
  ['blank', { 'private-token': ' ' }, { private_token: '' }, undefined],
  ['blank, then one that is not', { 'private-token': '', authorization: 'Bearer a' }, {}, 'a'],
  ['no text', {}, { private_token: { a: 1 } }, undefined],
  ['job token where none is taken', { 'job-token': 'a' }, { job_token: 'a' }, undefined],
])('%s', (_, headers, parameters, token) => {
  expect(findCredentials(headers, parameters, false)).toEqual(token && { kind: 'access token', token });
});

it.each<[string, IncomingHttpHeaders, Record<string, unknown>, object | undefined]>([
  ['JOB-TOKEN', { 'job-token': 'a' }, {}, { kind: 'job token', token: 'a' }],
  ['job_token', {}, { job_token: 'a' }, { kind: 'job token', token: 'a' }],
  ['none', {}, {}, undefined],
  ['access token', { 'private-token': 'a' }, {}, { kind: 'access token', token: 'a' }],
])('job tokens: %s', (_, headers, parameters, credentials) => {
  expect(findCredentials(headers, parameters, true)).toEqual(credentials);
});
