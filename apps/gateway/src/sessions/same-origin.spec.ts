import { isCrossOrigin, isSameOrigin } from './same-origin.js';

const externalUrl = 'https://ci.example.com/flagfall';
const host = '10.0.0.1:8080';

it.each([
  [{}, false],
  [{ 'sec-fetch-site': 'same-origin' }, true],
  [{ 'sec-fetch-site': 'same-site' }, false],
  [{ 'sec-fetch-site': 'cross-site' }, false],
  [{ 'sec-fetch-site': 'none' }, false],
  [{ 'sec-fetch-site': 'cross-site', origin: 'https://ci.example.com' }, false],
  [{ origin: 'https://ci.example.com' }, true],
  [{ origin: 'http://ci.example.com' }, false],
  [{ origin: 'https://ci.example.com:8443' }, false],
  [{ origin: 'https://ci.example.com.evil.example' }, false],
  [{ origin: 'http://10.0.0.1:8080' }, true],
  [{ origin: 'http://10.0.0.1' }, false],
  [{ origin: 'https://10.0.0.1:8080' }, false],
  [{ origin: 'null' }, false],
  [{ origin: '' }, false],
])('%j comes from a page of this site: %s', (headers, same) => {
  expect(isSameOrigin({ host, ...headers }, externalUrl)).toBe(same);
  const fromProgram = Object.keys(headers).length === 0;
  expect(isCrossOrigin({ host, ...headers }, externalUrl)).toBe(!same && !fromProgram);
});
