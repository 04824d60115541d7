import { Refusal } from '#libs/contracts';
import { cursorAfter, jobIdOf } from './job-cursor.js';

describe('a cursor of a list of jobs', () => {
  it.each([0, 1, 257, 999_999_999_999_999])('leads back to job %i', (id) => expect(jobIdOf(cursorAfter(id))).toBe(id));

  it('is safe in a URL', () => {
    const cursor = cursorAfter(257);
    expect(encodeURIComponent(cursor)).toBe(cursor);
  });

  it.each([
    ['nothing', ''],
    ['a number', '257'],
    ['other JSON', Buffer.from('{"name":"257"}').toString('base64url')],
    ['SQL', Buffer.from('{"id":"1 or 1=1"}').toString('base64url')],
    ['a number that is not exact', Buffer.from('{"id":"99999999999999999999"}').toString('base64url')],
  ])('is not %s', (_, cursor) => {
    const refusal = new Refusal(400, { error: 'cursor is invalid' });
    expect(() => jobIdOf(cursor)).toThrow(refusal);
  });
});
