/** Draws from what it was seeded with: the same seed, the same draws, on every machine. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** @returns a whole number from 0 to below the limit (mulberry32) */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  /** True once in `times` draws, on the average. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

/** Texts that break what takes them for something else: a number, a path, SQL, HTML, a terminal, a header, a shell, a pattern, a prototype. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfffy',
  '\u202egpj.exe',
  '\ufeff',
  '😀'.repeat(64),
  'ﷺ'.repeat(200),
  'a\u0301'.repeat(500),
  '\x1b[2J\x1b]0;title\x07',
  '\x7f\x01\x02\x1f',
  'a\r\nSet-Cookie: x=y\r\n\r\n<html>',
  '"><script>alert(1)</script>',
  "' or 1=1; drop table users; --",
  "1'||pg_sleep(5)||'",
  '\\',
  '%',
  '%00%0a%2e%2e',
  '_%_%',
  '../../../../etc/passwd',
  '/etc/passwd',
  '--upload-pack=touch /tmp/owned',
  '-oProxyCommand=id',
  'ext::sh -c id',
  'file:///etc',
  '$(id)`id`;id|id',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '/(a+)+$/',
  '(((((((((((((((((((((',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'NaN',
  'true',
  '[]',
  '{}',
  '-1',
  '0',
  '1e309',
  '0x10',
  '٣',
  '9007199254740993',
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999999999999999999999',
  '1.5',
  '2038-01-19T03:14:08Z',
  '99999-12-31',
  '0000-00-00',
  '2024-02-30',
  '-271821-04-20T00:00:00Z',
  'refs/heads/main',
  'main~1',
  'main@{0}',
  'HEAD',
  '*'.repeat(64),
  'x'.repeat(256),
  'x'.repeat(5_000),
  'x'.repeat(100_000),
];

/** What only JSON can say. */
export function hostileJson(dice: Dice): unknown {
  const text = dice.pick(hostileTexts);
  return dice.pick<() => unknown>([
    () => null,
    () => true,
    () => 0,
    () => -1,
    () => 1.5,
    () => 1e308,
    () => Number.MAX_SAFE_INTEGER,
    () => 2 ** 31,
    () => [],
    () => [text],
    () => [null, [], {}, text],
    () => ({}),
    () => ({ [text]: text }),
    () => JSON.parse(`{"__proto__":{"admin":true}}`),
    () => ({ constructor: { prototype: { admin: true } } }),
    () => ({ key: { $gt: '' } }),
    () => nested(dice.pick([5, 50, 99, 2_000])),
    () => Array.from({ length: 3_000 }, (_, index) => index),
  ])();
}

function nested(depth: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
