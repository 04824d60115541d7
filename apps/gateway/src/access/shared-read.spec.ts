import { SharedRead } from './shared-read.js';

/** A read whose answers the test gives by hand. */
function steered() {
  const queries: { keys: string[]; answer: (found: Map<string, string>) => void; fail: (error: unknown) => void }[] =
    [];
  const read = (keys: string[]) =>
    new Promise<Map<string, string>>((answer, fail) => queries.push({ keys, answer, fail }));
  return { queries, read };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('asks for those who came in one turn, and lets those who come meanwhile wait together for the next query', async () => {
  const { queries, read } = steered();
  const shared = new SharedRead(read);
  const first = shared.get('a');
  await turn();
  expect(queries.map(({ keys }) => keys)).toEqual([['a']]);
  const later = [shared.get('a'), shared.get('b'), shared.get('a'), shared.get('c')];
  await turn();
  expect(queries).toHaveLength(1);
  queries[0]?.answer(new Map([['a', 'old']]));
  expect(await first).toBe('old');
  await turn();
  expect(queries.map(({ keys }) => keys)).toEqual([['a'], ['a', 'b', 'c']]);
  queries[1]?.answer(
    new Map([
      ['a', 'new'],
      ['b', 'b'],
    ]),
  );
  expect(await Promise.all(later)).toEqual(['new', 'b', 'new', undefined]);
  await turn();
  expect(queries).toHaveLength(2);
});

it('a query that fails fails those who waited for it, and nobody else', async () => {
  const { queries, read } = steered();
  const shared = new SharedRead(read);
  const first = shared.get('a');
  await turn();
  const second = shared.get('b');
  queries[0]?.fail(new Error('away'));
  await expect(first).rejects.toThrow('away');
  await turn();
  queries[1]?.answer(new Map([['b', 'here']]));
  expect(await second).toBe('here');
});

it('a query that hangs is a 503, and the next one does not wait for it', async () => {
  const { queries, read } = steered();
  const shared = new SharedRead(read, 20);
  const first = shared.get('a');
  await turn();
  const second = shared.get('b');
  await expect(first).rejects.toMatchObject({ status: 503 });
  await turn();
  queries[1]?.answer(new Map([['b', 'here']]));
  expect(await second).toBe('here');
});

it('a read that throws at once is a failure like any other', async () => {
  const shared = new SharedRead<string, string>(() => {
    throw new Error('at once');
  });
  await expect(shared.get('a')).rejects.toThrow('at once');
  await expect(shared.get('b')).rejects.toThrow('at once');
});
