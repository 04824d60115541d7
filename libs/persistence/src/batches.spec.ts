import { Batches } from './batches.js';

const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Batches', () => {
  it('runs what came in one turn of the event loop, those that arrive meanwhile together', async () => {
    const { open, opened } = gate();
    const seen: number[][] = [];
    const batches = new Batches<number, number>(async (items) => {
      seen.push(items);
      if (seen.length === 1) await opened;
      return items.map((item) => item * 10);
    });
    const first = batches.add(1);
    await turn();
    const later = [batches.add(2), batches.add(3)];
    expect(seen).toEqual([[1]]);
    open();
    expect(await Promise.all([first, ...later])).toEqual([10, 20, 30]);
    expect(seen).toEqual([[1], [2, 3]]);
  });

  it('never makes a batch larger than the limit', async () => {
    const sizes: number[] = [];
    const batches = new Batches<number, number>(
      async (items) => {
        sizes.push(items.length);
        return items;
      },
      { limit: 2 },
    );
    await Promise.all([1, 2, 3, 4, 5].map((item) => batches.add(item)));
    expect(sizes).toEqual([2, 2, 1]);
  });

  it('fails only the item that is to blame', async () => {
    const batches = new Batches<number, number>(async (items) => {
      if (items.includes(2)) throw new Error('two is bad');
      return items;
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batches.add(item)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('says when it has drained', async () => {
    const done: number[] = [];
    const batches = new Batches<number, number>(async (items) => {
      await turn();
      done.push(...items);
      return items;
    });
    const added = Promise.all([batches.add(1), batches.add(2)]);
    await batches.drained();
    expect(done).toEqual([1, 2]);
    await added;
  });
});
