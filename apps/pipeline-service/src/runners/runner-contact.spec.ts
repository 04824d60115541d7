import { contact, heardWithin } from './runner-contact.js';

const now = new Date('2026-01-10T12:00:00Z');

it.each([
  [null, 'never_contacted'],
  ['2026-01-10T11:59:59Z', 'online'],
  ['2026-01-10T10:00:01Z', 'online'],
  ['2026-01-10T09:59:59Z', 'offline'],
  ['2026-01-03T12:00:01Z', 'offline'],
  ['2026-01-03T11:59:59Z', 'stale'],
] as const)('a runner that was heard of at %s is %s, and is found as such', (text, status) => {
  const at = text === null ? null : new Date(text);
  expect(contact(at, now)).toEqual({ online: status === 'online', status });
  if (!at) return;
  for (const other of ['online', 'offline', 'stale'] as const) {
    const { from, before } = heardWithin(other, now);
    expect((!from || at >= from) && (!before || at < before)).toBe(other === status);
  }
});
