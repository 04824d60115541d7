import { encodeRef } from './create-app.js';

const before = '/api/v4/projects/9/ref/';
const after = '/trigger/pipeline';

it.each([
  ['main', 'main'],
  ['feature/x', 'feature%2Fx'],
  ['feature%2Fx', 'feature%2Fx'],
  ['a/trigger/pipeline', 'a%2Ftrigger%2Fpipeline'],
  ['a/trigger/pipeline/b', 'a%2Ftrigger%2Fpipeline%2Fb'],
  ['refs/heads/a//b', 'refs%2Fheads%2Fa%2F%2Fb'],
  ['ref/ref', 'ref%2Fref'],
])('%s', (ref, encoded) => {
  expect(encodeRef(`${before}${ref}${after}`)).toBe(`${before}${encoded}${after}`);
  expect(encodeRef(`${before}${ref}${after}?token=a/b`)).toBe(`${before}${encoded}${after}?token=a/b`);
});

it.each([
  '/api/v4/projects/9/trigger/pipeline',
  '/api/v4/projects/9/ref/a/b',
  '/api/v4/projects/9/ref/a/b?next=/trigger/pipeline',
  '/api/v4/projects/9/jobs?scope=/ref/a/trigger/pipeline',
  '/',
])('leaves %s alone', (url) => expect(encodeRef(url)).toBe(url));
