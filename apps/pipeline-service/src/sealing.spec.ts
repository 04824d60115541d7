import { Sealing, SealBroken } from './sealing.js';

const key = '0123456789abcdef0123456789abcdef';
const place = 'variable TOKEN of project 7';

describe('Sealing', () => {
  const sealing = new Sealing(key);

  it.each(['', 'x', 'zażółć \u0001 🙂', 'a'.repeat(100_000)])('opens what it sealed', (text) => {
    expect(sealing.open(sealing.seal(text, place), place)).toBe(text);
    expect(new Sealing(key).open(sealing.seal(text, place), place)).toBe(text);
  });

  it('shows neither the text nor whether two texts are equal', () => {
    const [one, other] = [sealing.seal('same', place), sealing.seal('same', place)];
    expect(one).not.toBe(other);
    expect(Buffer.from(one, 'base64').toString('latin1')).not.toContain('same');
  });

  const flipped = (sealed: string): string => {
    const bytes = Buffer.from(sealed, 'base64');
    bytes[bytes.length - 1]! ^= 1;
    return bytes.toString('base64');
  };
  it.each<[string, () => string]>([
    ['under another key', () => new Sealing(`${key}!`).open(sealing.seal('x', place), place)],
    ['in another place', () => sealing.open(sealing.seal('x', place), 'variable TOKEN of project 8')],
    ['when it was changed', () => sealing.open(flipped(sealing.seal('x', place)), place)],
    ['when it was cut', () => sealing.open(sealing.seal('x', place).slice(0, 8), place)],
    ['when it never was sealed', () => sealing.open('hunter2', place)],
  ])('does not open it %s', (_case, open) => {
    expect(open).toThrow(SealBroken);
  });
});
