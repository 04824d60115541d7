import { BodyMemory, type BodyShare } from './body-memory.js';

const mib = 1024 * 1024;

/** A body of so many bytes that began to arrive then, or undefined where it found no room. */
function body(memory: BodyMemory, bytes: number, now = 0, evicted?: () => void): BodyShare | undefined {
  const share = memory.open(now);
  share.evicted = () => {
    if (!evicted) throw new Error('It should have kept its room');
    evicted();
  };
  if (memory.take(share, bytes, now)) return share;
  memory.release(share);
  return undefined;
}

it('is full when its limit is taken, and has room again when a body is released, once', () => {
  const memory = new BodyMemory(8 * mib);
  const first = body(memory, 5 * mib) as BodyShare;
  expect(body(memory, 3 * mib)).toBeUndefined();
  memory.release(first);
  memory.release(first);
  expect(memory.taken).toBe(0);
  expect(body(memory, 3 * mib)).toBeDefined();
  expect(memory.taken).toBe(3 * mib);
});

it('keeps an eighth for small bodies', () => {
  const memory = new BodyMemory(8 * mib);
  expect(body(memory, 7 * mib)).toBeDefined();
  expect(body(memory, 64 * 1024 + 1)).toBeUndefined();
  for (let small = 0; small < 16; small++) expect(body(memory, 64 * 1024)).toBeDefined();
  expect(body(memory, 1)).toBeUndefined();
});

it('a body that grows beyond a small one is a large one', () => {
  const memory = new BodyMemory(8 * mib);
  expect(body(memory, 7 * mib)).toBeDefined();
  const share = body(memory, 64 * 1024) as BodyShare;
  expect(memory.take(share, 1, 0)).toBe(false);
});

describe('when there is no room', () => {
  it('those who have been sending for long make some, the oldest first, and no more of them than needed', () => {
    const memory = new BodyMemory(8 * mib);
    const evicted: string[] = [];
    body(memory, 0, 0, () => evicted.push('nothing to give'));
    body(memory, 2 * mib, 0, () => evicted.push('a'));
    body(memory, 2 * mib, 1_000, () => evicted.push('b'));
    body(memory, 2 * mib, 9_000);
    expect(body(memory, 3 * mib, 9_000)).toBeDefined();
    expect(evicted).toEqual(['a']);
    expect(memory.taken).toBe(7 * mib);
    expect(body(memory, 2 * mib, 9_000)).toBeDefined();
    expect(body(memory, 2 * mib, 9_000)).toBeUndefined();
    expect(evicted).toEqual(['a', 'b']);
  });

  it('nobody has to make any whose body is all there', () => {
    const memory = new BodyMemory(8 * mib);
    memory.arrived(body(memory, 7 * mib) as BodyShare);
    expect(body(memory, 1 * mib, 60_000)).toBeUndefined();
  });

  it('a body does not make room for itself', () => {
    const memory = new BodyMemory(8 * mib);
    const share = body(memory, 7 * mib) as BodyShare;
    expect(memory.take(share, 1, 60_000)).toBe(false);
  });
});
