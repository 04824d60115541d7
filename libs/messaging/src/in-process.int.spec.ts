import { InProcessBus, type Message, RetryLater, Unprocessable } from './index.js';
import { InProcessStrategy } from './in-process-strategy.js';
import { type Installation, inProcess, newMessage, validate } from './testing/installation.js';
import { MemoryParkedStore } from './testing/memory-parked-store.js';
import { RecordedLog } from './testing/recorded-log.js';
import { listen, onEvent, onRequest } from './testing/service.js';
import { until } from './testing/until.js';

const TYPE = 'thing.happened.v1';

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('publishing in process', () => {
  let installation: Installation;
  beforeEach(async () => {
    installation = await inProcess();
  });
  afterEach(() => installation.remove());

  it('resolves when all handlers of all services have succeeded, retries included', async () => {
    const done: string[] = [];
    const failing = (_message: Message, { attempt }: { attempt: number }): void => {
      if (attempt === 1) throw new Error('once');
      done.push('a');
    };
    await installation.start('a', [onEvent(TYPE, failing, { retryDelaysMs: [50] })]);
    await installation.start('b', [onEvent(TYPE, () => done.push('b'))]);
    await installation.bus.publish([newMessage(TYPE, {})]);
    expect(done).toEqual(['b', 'a']);
  });

  it('resolves when the message was parked', async () => {
    const park = (): never => {
      throw new Unprocessable('never');
    };
    await installation.start('a', [onEvent(TYPE, park)]);
    await installation.bus.publish([newMessage(TYPE, {})]);
    expect(await installation.bus.parked.list(`a.${TYPE}`)).toHaveLength(1);
  });

  it('does not wait for fan-out handlers', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let done = false;
    const slow = async (): Promise<void> => {
      await held;
      done = true;
    };
    await installation.start('a', [onEvent(TYPE, slow, { fanOut: true })]);
    await installation.bus.publish([newMessage(TYPE, {})]);
    expect(done).toBe(false);
    release();
    await until('the slow one', () => done);
  });

  it.each(['bus', 'service'])('is rejected with closing when the message is put off and the %s stops', async (what) => {
    let runs = 0;
    const putOff = (): never => {
      runs++;
      throw new RetryLater(60_000);
    };
    const service = await installation.start('a', [onEvent(TYPE, putOff)]);
    const message = newMessage(TYPE, {});
    const published = failureOf(installation.bus.publish([message]));
    await until('it is put off', () => installation.log.matching('again in').length === 1);
    await (what === 'bus' ? installation.bus.close() : service.stop());
    expect(await published).toMatchObject({ reason: 'closing', ids: [message.id] });
    expect(await failureOf(installation.bus.publish([message]))).toMatchObject({ reason: 'closing' });
    expect(runs).toBe(1);
  });

  it('is rejected with closing for what waits behind a running handler, which finishes', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const got: unknown[] = [];
    const handler = async ({ data }: Message): Promise<void> => {
      got.push(data);
      await held;
    };
    const service = await installation.start('a', [onEvent(TYPE, handler)]);
    const first = failureOf(installation.bus.publish([newMessage(TYPE, 1)]));
    const second = failureOf(installation.bus.publish([newMessage(TYPE, 2)]));
    await until('the first runs', () => got.length === 1);
    const stopped = service.stop();
    expect(await second).toMatchObject({ reason: 'closing' });
    release();
    await stopped;
    expect(await first).toBeUndefined();
    expect(got).toEqual([1]);
  });

  it('keeps trying to park while the store is away', async () => {
    const store = new MemoryParkedStore();
    const park = store.park.bind(store);
    let tries = 0;
    store.park = async (...parked) => {
      if (++tries === 1) throw new Error('the database is away');
      await park(...parked);
    };
    const bus = new InProcessBus({ validate, parked: store });
    const log = new RecordedLog();
    const never = onEvent(TYPE, () => {
      throw new Unprocessable('never');
    });
    const app = await listen(new InProcessStrategy({ bus, service: 'a' }), [never], log);
    await bus.publish([newMessage(TYPE, {})]);
    expect(tries).toBe(2);
    expect(await bus.parked.list(`a.${TYPE}`)).toHaveLength(1);
    expect(log.matching('the database is away')).toHaveLength(1);
    await app.close();
    await bus.close();
  });

  it('has one handler for a request, and one instance of a service', async () => {
    await installation.start('a', [onEvent(TYPE, () => undefined), onRequest('things.get', () => 1)]);
    expect(await failureOf(installation.start('b', [onRequest('things.get', () => 2)]))).toMatchObject({
      message: 'b cannot start: things.get is handled in this process already',
    });
    expect(await failureOf(installation.start('a', [onEvent(TYPE, () => undefined)]))).toMatchObject({
      message: `a cannot start: a.${TYPE} is handled in this process already`,
    });
  });
});
