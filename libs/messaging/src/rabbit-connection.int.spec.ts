import type { Message } from './index.js';
import { ready, withChannel } from './testing/broker.js';
import { newMessage, onRabbit, type RabbitInstallation } from './testing/installation.js';
import { onEvent, onRequest } from './testing/service.js';
import { TcpProxy } from './testing/tcp-proxy.js';
import { until } from './testing/until.js';

const TYPE = 'thing.happened.v1';

/** AMQP 0-9-1 method frames on channel 0: connection.blocked with the reason "memory", and connection.unblocked. */
const BLOCKED = Buffer.from([1, 0, 0, 0, 0, 0, 11, 0, 10, 0, 60, 6, ...Buffer.from('memory'), 0xce]);
const UNBLOCKED = Buffer.from([1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xce]);

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a connection to RabbitMQ', () => {
  let installation: RabbitInstallation;
  let proxy: TcpProxy;

  beforeEach(async () => {
    installation = await onRabbit();
    proxy = await TcpProxy.start();
  });
  afterEach(async () => {
    await installation.remove();
    await proxy.stop();
  });

  it('that is lost fails what is published at once, comes back and says so', async () => {
    await installation.start('a', [onEvent(TYPE, () => undefined), onRequest('things.get', () => 1)]);
    const bus = await installation.connect(proxy.url);
    let connections = 0;
    bus.onConnected(() => connections++);
    await until('the first call', () => connections === 1);
    proxy.freeze();
    const open = failureOf(bus.publish([newMessage(TYPE, {})]));
    const asked = failureOf(bus.request('things.get', {}, { timeoutMs: 60_000 }));
    proxy.cut();
    expect(await open).toMatchObject({ reason: 'away' });
    expect(await asked).toMatchObject({ reason: 'away' });
    expect(bus.connected).toBe(false);
    const away = newMessage(TYPE, {});
    expect(await failureOf(bus.publish([away]))).toMatchObject({ reason: 'away', ids: [away.id] });
    expect(await failureOf(bus.request('things.get', {}, { timeoutMs: 60_000 }))).toMatchObject({ reason: 'away' });
    await until('the second call', () => connections === 2);
    await bus.publish([newMessage(TYPE, {})]);
    expect(await bus.request('things.get', {}, { timeoutMs: 60_000 })).toBe(1);
  });

  it('that no longer answers makes publishing time out', async () => {
    await installation.start('a', [onEvent(TYPE, () => undefined)]);
    const bus = await installation.connect(proxy.url);
    proxy.freeze();
    const message = newMessage(TYPE, {});
    expect(await failureOf(bus.publish([message], { timeoutMs: 100 }))).toMatchObject({
      reason: 'timeout',
      ids: [message.id],
    });
    proxy.cut();
  });

  it('that the broker blocks counts as away, and what waits goes when it is unblocked', async () => {
    const got: Message[] = [];
    await installation.start('a', [onEvent(TYPE, (message) => got.push(message))]);
    const bus = await installation.connect(proxy.url);
    proxy.inject(BLOCKED);
    await until('blocked', () => !bus.connected);
    expect(await failureOf(bus.publish([newMessage(TYPE, 'too late')], { timeoutMs: 50 }))).toMatchObject({
      reason: 'away',
    });
    const waiting = bus.publish([newMessage(TYPE, 'patient')]);
    const unblocked = new Promise<void>((resolve) => bus.onConnected(resolve));
    proxy.inject(UNBLOCKED);
    await Promise.all([waiting, unblocked]);
    await until('the patient one', () => got.length > 0);
    expect(got.map(({ data }) => data)).toEqual(['patient']);
  });

  it('that is lost under a consumer brings back what was not acknowledged, alone, and nothing else', async () => {
    const runs: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const bus = await installation.connect(proxy.url);
    const service = await installation.startOn(bus, 'a', [
      onEvent(TYPE, async ({ data }) => {
        runs.push(data as string);
        if (data === 'slow' && runs.length === 2) await held;
      }),
    ]);
    await installation.bus.publish([newMessage(TYPE, 'quick')]);
    await until('the quick one', () => runs.length === 1);
    await installation.bus.publish([newMessage(TYPE, 'slow')]);
    await until('the slow one', () => runs.length === 2);
    proxy.cut();
    await until('it comes again', () => runs.length === 3);
    release();
    await installation.bus.publish([newMessage(TYPE, 'next')]);
    await until('the next one', () => runs.length === 4);
    expect(runs).toEqual(['quick', 'slow', 'slow', 'next']);
    await service.stop();
    expect(await ready(`${installation.namespace}.a.${TYPE}`)).toBe(0);
  });

  it('loses nothing when it breaks again and again under load', async () => {
    const got = new Map<string, number>();
    const bus = await installation.connect(proxy.url);
    await installation.startOn(bus, 'a', [
      onEvent(TYPE, ({ id }) => void got.set(id, (got.get(id) ?? 0) + 1), { concurrency: 20 }),
    ]);
    const messages = Array.from({ length: 600 }, (_, n) => newMessage(TYPE, n));
    for (let round = 0; round < 3; round++) {
      const part = messages.slice(round * 200, (round + 1) * 200);
      await Promise.all(part.map((message) => installation.bus.publish([message])));
      proxy.cut();
    }
    await until('all', () => got.size === messages.length, 60_000);
    expect([...got.keys()].toSorted()).toEqual(messages.map(({ id }) => id).toSorted());
  });

  it('subscribes again when its queue is deleted under it', async () => {
    const got: unknown[] = [];
    await installation.start('a', [onEvent(TYPE, ({ data }) => got.push(data))]);
    await withChannel((channel) => channel.deleteQueue(`${installation.namespace}.a.${TYPE}`));
    expect(await failureOf(installation.bus.publish([newMessage(TYPE, 'lost')]))).toMatchObject({
      reason: 'unroutable',
    });
    await until('the queue is there again', async () => {
      return (await failureOf(installation.bus.publish([newMessage(TYPE, 'again')]))) === undefined;
    });
    await until('it is consumed', () => got.length === 1);
    expect(got).toEqual(['again']);
  });

  it('declares the exchanges again when they are gone', async () => {
    await withChannel((channel) => channel.deleteExchange(`${installation.namespace}.events`));
    const publish = () => failureOf(installation.bus.publish([newMessage(TYPE, {})]));
    expect(await publish()).toMatchObject({ reason: 'away' });
    await until('connected', () => installation.bus.connected);
    expect(await publish()).toMatchObject({ reason: 'unroutable' });
  });

  it('that breaks during set-up, wherever, harms nobody', async () => {
    const bus = await installation.connect(proxy.url);
    await installation.startOn(await installation.connect(), 'a', [onEvent(TYPE, () => undefined)]);
    const whole = proxy.latestBytes;
    for (const missing of [0, 12, 24, 60, 100]) {
      const before = proxy.accepted;
      proxy.cutNextAfter(whole - missing);
      proxy.cut();
      await until('the try that breaks, and one more', () => proxy.accepted >= before + 2);
      await until('connected', () => bus.connected);
      await bus.publish([newMessage(TYPE, {})]);
    }
    expect(bus.connected).toBe(true);
  });

  it('that cannot be made does not keep a service from starting, and is made when it can be', async () => {
    const { port, url } = proxy;
    await proxy.stop();
    const got: unknown[] = [];
    const bus = installation.newBus(url);
    const { strategy } = await installation.startOn(bus, 'a', [onEvent(TYPE, ({ data }) => got.push(data))]);
    expect([bus.connected, strategy.connected]).toEqual([false, false]);
    expect(installation.log.matching('no connection to RabbitMQ').length).toBeGreaterThan(0);
    proxy = await TcpProxy.start(port);
    await until('the queue', async () => (await failureOf(bus.publish([newMessage(TYPE, 'hello')]))) === undefined);
    await until('the message', () => got.length === 1);
    expect(got).toEqual(['hello']);
    expect([bus.connected, strategy.connected]).toEqual([true, true]);
  });

  it('takes no URL that is none, and does not repeat it', async () => {
    const error = await failureOf(Promise.resolve().then(() => installation.newBus('not a url:secret')));
    expect((error as Error).message).toContain('AMQP_URL is not a URL');
    expect((error as Error).message).not.toContain('secret');
  });
});
