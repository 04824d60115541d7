import { SessionLease } from './session-lease.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => Buffer.from(value);
const ready = (status: string) => Buffer.concat([bytes('Z'), Buffer.from([0, 0, 0, 5]), bytes(status)]);

/** An engine that notes what it gets and answers by a table; everything not in it is answered with nothing, as Parse and Bind are until Sync. */
function engineOf(answers: Record<string, Uint8Array[]>) {
  const got: string[] = [];
  const engine = async (message: Uint8Array, answer: (chunk: Uint8Array) => void) => {
    got.push(text(message));
    await Promise.resolve();
    for (const chunk of answers[text(message)] ?? []) answer(chunk);
  };
  return { got, engine };
}

const quiet = () => {};

describe('SessionLease', () => {
  it('lets nobody in between the messages of one query, however late they come', async () => {
    const { got, engine } = engineOf({ 'a:sync': [ready('I')], 'b:query': [ready('I')] });
    const lease = new SessionLease(engine, 60_000, quiet);
    await lease.enqueue(1, bytes('a:parse'), quiet);
    const other = lease.enqueue(2, bytes('b:query'), quiet);
    await lease.enqueue(1, bytes('a:bind'), quiet);
    await lease.enqueue(1, bytes('a:sync'), quiet);
    await other;
    expect(got).toEqual(['a:parse', 'a:bind', 'a:sync', 'b:query']);
  });

  it('lets nobody in during a transaction, a failed one too', async () => {
    const { got, engine } = engineOf({
      'a:begin': [ready('T')],
      'a:wrong': [ready('E')],
      'a:rollback': [ready('I')],
      'b:query': [ready('I')],
    });
    const lease = new SessionLease(engine, 60_000, quiet);
    await lease.enqueue(1, bytes('a:begin'), quiet);
    const other = lease.enqueue(2, bytes('b:query'), quiet);
    await lease.enqueue(1, bytes('a:wrong'), quiet);
    await lease.enqueue(1, bytes('a:rollback'), quiet);
    await other;
    expect(got).toEqual(['a:begin', 'a:wrong', 'a:rollback', 'b:query']);
  });

  it('knows the end of an answer that comes in pieces', async () => {
    const end = ready('I');
    const { engine } = engineOf({ 'a:query': [bytes('row'), end.subarray(0, 2), end.subarray(2)], 'b:query': [end] });
    const lease = new SessionLease(engine, 60_000, quiet);
    const answered: string[] = [];
    expect(await lease.enqueue(1, bytes('a:query'), (chunk) => answered.push(text(chunk)))).toBe(9);
    expect(answered.join('')).toBe(`row${text(end)}`);
    expect(await lease.enqueue(2, bytes('b:query'), quiet)).toBe(6);
  });

  it('takes the session back from a client that went away: Sync and ROLLBACK before anybody else', async () => {
    const { got, engine } = engineOf({
      'a:begin': [ready('T')],
      'S\0\0\0\x04': [ready('T')],
      'Q\0\0\0\rROLLBACK\0': [ready('I')],
      'b:query': [ready('I')],
    });
    const lease = new SessionLease(engine, 60_000, quiet);
    await lease.enqueue(1, bytes('a:begin'), quiet);
    const other = lease.enqueue(2, bytes('b:query'), quiet);
    lease.clearQueueForHandler(1);
    await lease.clearTransactionIfNeeded(1);
    await other;
    expect(got).toEqual(['a:begin', 'S\0\0\0\x04', 'Q\0\0\0\rROLLBACK\0', 'b:query']);
  });

  it('drops what a client that went away still wanted, and leaves the holder alone', async () => {
    const { got, engine } = engineOf({ 'a:begin': [ready('T')], 'a:commit': [ready('I')] });
    const lease = new SessionLease(engine, 60_000, quiet);
    await lease.enqueue(1, bytes('a:begin'), quiet);
    const other = lease.enqueue(2, bytes('b:query'), quiet);
    lease.clearQueueForHandler(2);
    await lease.clearTransactionIfNeeded(2);
    await expect(other).rejects.toThrow('disconnected');
    await lease.enqueue(1, bytes('a:commit'), quiet);
    expect(got).toEqual(['a:begin', 'a:commit']);
  });

  it('serves the others when the engine throws for one', async () => {
    const { engine } = engineOf({
      'S\0\0\0\x04': [ready('I')],
      'Q\0\0\0\rROLLBACK\0': [ready('I')],
      'b:query': [ready('I')],
    });
    const failing: typeof engine = async (message, answer) => {
      if (text(message) === 'a:startup') throw new Error('no such database');
      await engine(message, answer);
    };
    const lease = new SessionLease(failing, 60_000, quiet);
    await expect(lease.enqueue(1, bytes('a:startup'), quiet)).rejects.toThrow('no such database');
    const other = lease.enqueue(2, bytes('b:query'), quiet);
    await lease.clearTransactionIfNeeded(1);
    expect(await other).toBe(6);
  });

  it('reports the holder that says nothing for too long, though others keep asking', async () => {
    const { engine } = engineOf({ 'a:begin': [ready('T')] });
    let lease!: SessionLease;
    const reported = new Promise<number>((resolve) => {
      lease = new SessionLease(engine, 50, resolve);
    });
    await lease.enqueue(1, bytes('a:begin'), quiet);
    const asking = setInterval(() => void lease.enqueue(2, bytes('b:query'), quiet), 10);
    expect(await reported).toBe(1);
    clearInterval(asking);
  });
});
