import { usernameRefusal } from './username.js';

test.each(['ada', 'Ada.Lovelace', 'a-b_c', '0', '_', 'x'.repeat(255), '.hidden', 'gitter'])(
  '%s may be used',
  (name) => {
    expect(usernameRefusal(name)).toBeUndefined();
  },
);

test.each([
  ['-ada', /only letters/],
  ['', /only letters/],
  ['a b', /only letters/],
  ['a/b', /only letters/],
  ['ädä', /only letters/],
  ['ada.', /only letters/],
  ['ada.git', /only letters/],
  ['ada.ATOM', /only letters/],
  ['x'.repeat(256), /too long/],
  ['API', /reserved/],
])('%s may not', (name, text) => {
  const refusal = usernameRefusal(name);
  expect(refusal?.status).toBe(400);
  expect(JSON.stringify(refusal?.body)).toMatch(text);
});
