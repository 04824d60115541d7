import { userProblems } from './user-attributes.js';

const good = { username: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' };

test.each(['ada', 'Ada.Lovelace', 'a-b_c', '0', '_', 'x'.repeat(255), '.hidden', 'gitter'])(
  'the username %s may be used',
  (username) => expect(userProblems({ ...good, username })).toEqual({}),
);

test.each([
  ['-ada', /only letters/],
  ['', /can't be blank/],
  ['a b', /only letters/],
  ['a/b', /only letters/],
  ['ädä', /only letters/],
  ['ada.', /only letters/],
  ['ada.git', /only letters/],
  ['ada.ATOM', /only letters/],
  ['x'.repeat(256), /too long/],
  ['API', /reserved/],
])('the username %s may not', (username, text) => {
  expect(userProblems({ ...good, username })).toEqual({ username: [expect.stringMatching(text)] });
});

test('everything that is wrong is told at once', () => {
  expect(userProblems({ username: '-', name: ' ', email: 'nowhere' })).toEqual({
    username: [expect.stringMatching(/only letters/)],
    name: ["can't be blank"],
    email: ['is invalid'],
  });
});
