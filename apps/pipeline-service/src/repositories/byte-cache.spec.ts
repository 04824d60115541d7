import { ByteCache } from './byte-cache.js';

describe('ByteCache', () => {
  it('forgets what was unused for longest when there are too many bytes', () => {
    const cache = new ByteCache<string>(10);
    cache.set('a', 'A', 4);
    cache.set('b', 'B', 4);
    expect(cache.get('a')).toBe('A');
    cache.set('c', 'C', 4);
    expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual(['A', undefined, 'C']);
    cache.set('c', 'CC', 6);
    expect(['a', 'c'].map((key) => cache.get(key))).toEqual(['A', 'CC']);
  });

  it('does not keep what is larger than itself', () => {
    const cache = new ByteCache<string>(10);
    cache.set('a', 'A', 11);
    expect(cache.get('a')).toBeUndefined();
    cache.set('b', 'B', 10);
    expect(cache.get('b')).toBe('B');
  });

  it('forgets by the beginning of keys, and has room again', () => {
    const cache = new ByteCache<string>(10);
    cache.set('1 a', 'A', 5);
    cache.set('12 a', 'B', 5);
    cache.deletePrefix('1 ');
    expect(cache.get('1 a')).toBeUndefined();
    cache.set('2 a', 'C', 5);
    expect(cache.get('12 a')).toBe('B');
  });
});
