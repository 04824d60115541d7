import { uuidv7 } from '#libs/persistence';
import { cursorAfter, requestIdOf } from './delivery-cursor.js';

it('a cursor leads back to its request', () => {
  const id = uuidv7();
  expect(requestIdOf(cursorAfter(id))).toBe(id);
});

it.each(['', 'x', cursorAfter('1'), cursorAfter("' or 1=1"), Buffer.from('{"id":1}').toString('base64url')])(
  'what never was one is refused: %j',
  (cursor) => {
    expect(() => requestIdOf(cursor)).toThrow('cursor is invalid');
  },
);
