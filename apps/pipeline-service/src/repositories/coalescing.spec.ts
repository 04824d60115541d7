import { Coalescing } from './coalescing.js';

/** Rounds that end when the test says so. */
function heldRounds() {
  const rounds: { key: string; requests: readonly number[]; end(result: string): void; fail(error: Error): void }[] =
    [];
  const work = new Coalescing<number, string>(
    (key, requests) => new Promise((end, fail) => void rounds.push({ key, requests: [...requests], end, fail })),
  );
  return { rounds, work };
}

/** Lets everything happen that needs no outside event. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Coalescing', () => {
  it('serves with one round only who asked before it started', async () => {
    const { rounds, work } = heldRounds();
    const first = work.ask('a', 1);
    await settle();
    const late = [work.ask('a', 2), work.ask('a', 3)];
    await settle();
    expect(rounds.map(({ requests }) => requests)).toEqual([[1]]);
    rounds[0]!.end('old');
    expect(await first).toBe('old');
    await settle();
    const later = work.ask('a', 4);
    expect(rounds.map(({ requests }) => requests)).toEqual([[1], [2, 3]]);
    rounds[1]!.end('new');
    expect(await Promise.all(late)).toEqual(['new', 'new']);
    await settle();
    rounds[2]!.end('newest');
    expect(await later).toBe('newest');
  });

  it('keeps keys apart', async () => {
    const { rounds, work } = heldRounds();
    void work.ask('hangs', 1);
    const other = work.ask('b', 2);
    await settle();
    rounds.find(({ key }) => key === 'b')!.end('done');
    expect(await other).toBe('done');
  });

  it('tells a failure to all of its round and goes on with the next', async () => {
    const { rounds, work } = heldRounds();
    const first = work.ask('a', 1);
    await settle();
    const waiting = [work.ask('a', 2), work.ask('a', 3)].map((answer) => answer.catch((error: unknown) => error));
    rounds[0]!.fail(new Error('first'));
    await expect(first).rejects.toThrow('first');
    await settle();
    rounds[1]!.fail(new Error('second'));
    expect(await Promise.all(waiting)).toEqual([new Error('second'), new Error('second')]);
    const again = work.ask('a', 4);
    await settle();
    rounds[2]!.end('fine');
    expect(await again).toBe('fine');
  });

  it('takes an error thrown at once for a failure of the round', async () => {
    const work = new Coalescing<number, string>(() => {
      throw new Error('at once');
    });
    await expect(work.ask('a', 1)).rejects.toThrow('at once');
    await expect(work.ask('a', 2)).rejects.toThrow('at once');
  });
});
