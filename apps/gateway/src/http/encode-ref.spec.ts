import { encodeArtifactsRef, encodeClone, encodeRef } from './create-app.js';

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

it('takes no time for long rows of slashes, dots and names', () => {
  const began = performance.now();
  for (const part of ['/', '.git/', '/trigger/pipeline', '/download/', '/raw/', '/ref/', 'a'])
    for (const start of ['/', before, '/api/v4/projects/9/jobs/artifacts/'])
      for (const end of ['', '.git/x', 'x', '/trigger/pipeline/x']) {
        const url = start + part.repeat(300_000 / part.length) + end;
        for (const encode of [encodeRef, encodeClone, encodeArtifactsRef]) encode(url);
      }
  expect(performance.now() - began).toBeLessThan(5_000);
});

it('makes a clone’s path one segment, whatever slashes it begins with', () => {
  expect(encodeClone('///group/app.git/info/refs?service=x')).toBe('/-/git/group%2Fapp/info/refs?service=x');
  expect(encodeClone('/.git/info/refs')).toBe('/.git/info/refs');
});
