import { reaches } from './runner-reach.js';

const runner = { tags: ['linux', 'big'], runUntagged: false, protectedOnly: false, projectIds: null };
const job = { projectId: 1, tags: ['linux'], protected: false };

it.each([
  ['all of its tags', {}, {}, true],
  ['a tag too many', {}, { tags: ['linux', 'windows'] }, false],
  ['no tags, and a runner for tags only', {}, { tags: [] }, false],
  ['no tags', { runUntagged: true }, { tags: [] }, true],
  ['no protected ref, and a runner for these only', { protectedOnly: true }, {}, false],
  ['a protected ref', { protectedOnly: true }, { protected: true }, true],
  ['its project', { projectIds: [2, 1] }, {}, true],
  ['another project', { projectIds: [2] }, {}, false],
])('a job with %s', (_, change, of, expected) => {
  expect(reaches({ ...runner, ...change }, { ...job, ...of })).toBe(expected);
});
