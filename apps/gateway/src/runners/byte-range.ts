/** Part of something that has so many bytes; `end` counts too. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * The range that a `Range` header asks for (RFC 9110 §14): `bytes=5-`, `bytes=5-9`, `bytes=-5`. Pure.
 * @returns undefined where there is none to heed (another unit, several ranges, nonsense), `'beyond'` where it begins behind the end
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'beyond' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const wanted = Math.min(Number(last), size);
    return wanted === 0 ? 'beyond' : { start: size - wanted, end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'beyond' : { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}
