import { messageOf, nextLink, url } from './http.js';

test.each([
  ['{"message":"404 Project Not Found"}', '404 Project Not Found'],
  ['{"message":{"base":["Reference not found"]}}', 'Reference not found'],
  [
    '{"message":{"path":["has already been taken"],"name":["is too long"]}}',
    'Path has already been taken. Name is too long',
  ],
  ['{"message":["one","two"]}', 'one. two'],
  ['{"error":"ref is missing"}', 'ref is missing'],
  ['{"error":"invalid_token","error_description":"Token was revoked."}', 'Token was revoked.'],
  ['<html>', 'The server answered 502.'],
  ['null', 'The server answered 502.'],
  ['{"message":{}}', 'The server answered 502.'],
])('the words of %s', (body, words) => {
  expect(messageOf(body, 502)).toBe(words);
});

test('the next page of a list', () => {
  const header = '<https://ci.example/api/v4/x?cursor=a%2Cb>; rel="next", <https://ci.example/api/v4/x>; rel="first"';
  expect(nextLink(header)).toBe('/api/v4/x?cursor=a%2Cb');
  expect(nextLink('<https://ci.example/api/v4/x>; rel="first"')).toBeNull();
  expect(nextLink(null)).toBeNull();
});

test('parameters that are empty are left out', () => {
  expect(url('/x', { ref: 'a b', status: '', page: 2, source: null })).toBe('/x?ref=a+b&page=2');
  expect(url('/x', { ref: '' })).toBe('/x');
});
