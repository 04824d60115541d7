import { type Installation, inProcess, newMessage, onRabbit } from './testing/installation.js';
import { onBatch, onRequest } from './testing/service.js';
import { until } from './testing/until.js';

const TYPE = 'thing.happened.v1';
const DATA = { project: 1, ref: 'main', variables: [{ key: 'UPLOAD_TO_S3', value: 'true' }] };

/** Prints how fast this machine is; what is asserted is that nothing got lost on the way. */
describe.each([
  ['RabbitMQ', onRabbit],
  ['in process', inProcess],
])('%s', (name, install: () => Promise<Installation>) => {
  let installation: Installation;
  beforeEach(async () => {
    installation = await install();
  });
  afterEach(() => installation.remove());

  it.each([
    { published: 1, consumed: 1, concurrency: 64, total: 3_000 },
    { published: 1, consumed: 50, concurrency: 1, total: 3_000 },
    { published: 50, consumed: 50, concurrency: 1, total: 15_000 },
  ])(
    'events, $published in a publication, $consumed in a batch',
    async ({ published, consumed, concurrency, total }) => {
      const ids = new Set<string>();
      const handler = (messages: { id: string }[]): void => messages.forEach(({ id }) => ids.add(id));
      await installation.start('a', [onBatch(TYPE, consumed, handler, { concurrency })]);
      const groups = Array.from({ length: total / published }, () =>
        Array.from({ length: published }, () => newMessage(TYPE, DATA)),
      );
      const rate = await measure(total, async () => {
        await inLanes(64, groups, (group) => installation.bus.publish(group));
        await until('all', () => ids.size === total, 100_000);
      });
      console.log(`${name}: events, ${published} in a publication, ${consumed} in a batch: ${rate}/s`);
      expect(ids.size).toBe(total);
    },
  );

  it.each([1, 64])('requests, %d at a time', async (lanes) => {
    await installation.start('a', [onRequest('things.get', (n: number) => n + 1, { concurrency: 64 })]);
    const total = lanes === 1 ? 500 : 3_000;
    const replies: number[] = [];
    const numbers = Array.from({ length: total }, (_, n) => n);
    const rate = await measure(total, () =>
      inLanes(lanes, numbers, async (n) => {
        replies.push(await installation.bus.request<number>('things.get', n, { timeoutMs: 100_000 }));
      }),
    );
    console.log(`${name}: requests, ${lanes} at a time: ${rate}/s`);
    expect(replies.toSorted((a, b) => a - b)).toEqual(numbers.map((n) => n + 1));
  });
});

async function measure(count: number, run: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await run();
  return Math.round(count / ((performance.now() - before) / 1000));
}

async function inLanes<T>(lanes: number, items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (const item of queue) await run(item);
    }),
  );
}
