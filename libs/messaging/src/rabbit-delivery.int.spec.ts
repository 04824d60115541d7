import type { Message } from './index.js';
import { ready, takeAll, withChannel } from './testing/broker.js';
import { newMessage, onRabbit, type RabbitInstallation } from './testing/installation.js';
import { onBatch, onEvent, onRequest } from './testing/service.js';
import { until } from './testing/until.js';

const TYPE = 'thing.happened.v1';

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('delivery by RabbitMQ', () => {
  let installation: RabbitInstallation;
  let queue: string;

  beforeEach(async () => {
    installation = await onRabbit();
    queue = `${installation.namespace}.a.${TYPE}`;
  });
  afterEach(() => installation.remove());

  it('keeps messages while the service is stopped', async () => {
    const first = await installation.start('a', [onEvent(TYPE, () => undefined)]);
    await first.stop();
    const message = newMessage(TYPE, { n: 1 });
    await installation.bus.publish([message]);
    const got: Message[] = [];
    await installation.start('a', [onEvent(TYPE, (one) => got.push(one))]);
    await until('the message', () => got.length === 1);
    expect(got).toEqual([message]);
  });

  it('gives each message to one instance of a service', async () => {
    const got: string[] = [];
    for (const name of ['first', 'second']) {
      await installation.start('a', [onEvent(TYPE, ({ data }) => got.push(`${name} ${String(data)}`))]);
    }
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    await installation.bus.publish(numbers.slice(0, 1).map((n) => newMessage(TYPE, n)));
    await Promise.all(numbers.slice(1).map((n) => installation.bus.publish([newMessage(TYPE, n)])));
    await until('all', () => got.length === 40);
    expect(got.map((text) => Number(text.split(' ')[1])).toSorted((a, b) => a - b)).toEqual(numbers);
    expect(new Set(got.map((text) => text.split(' ')[0])).size).toBe(2);
  });

  it('gives fan-out messages to every instance', async () => {
    const got: string[] = [];
    for (const name of ['first', 'second']) {
      await installation.start('a', [onEvent(TYPE, () => got.push(name), { fanOut: true })]);
    }
    await installation.bus.publish([newMessage(TYPE, {})]);
    await until('both', () => got.length === 2);
    expect(got.toSorted()).toEqual(['first', 'second']);
  });

  it('gives addressed messages to their addressee, and to another instance when it is gone', async () => {
    const got: string[] = [];
    const start = (name: string) =>
      installation.start('a', [onEvent(TYPE, ({ data }) => got.push(`${name} ${String(data)}`), { addressed: true })]);
    const [first, second] = [await start('first'), await start('second')];
    const to = first.bus.instance;
    for (let n = 0; n < 10; n++) await installation.bus.publish([newMessage(TYPE, n)], { to });
    await until('ten', () => got.length === 10);
    expect(got).toEqual(Array.from({ length: 10 }, (_, n) => `first ${n}`));
    await first.stop();
    await installation.bus.publish([newMessage(TYPE, 'late')], { to });
    await until('the other', () => got.length === 11);
    expect(got.at(-1)).toBe('second late');
    await second.stop();
    await installation.bus.publish([newMessage(TYPE, 'later')], { to });
    expect(await ready(queue)).toBe(1);
  });

  it('loses none and doubles none of a thousand messages over a clean restart', async () => {
    const counts = new Map<string, number>();
    const handler = (messages: Message[]): void => {
      for (const { id } of messages) counts.set(id, (counts.get(id) ?? 0) + 1);
    };
    const messages = Array.from({ length: 1000 }, (_, n) => newMessage(TYPE, n));
    let service = await installation.start('a', [onBatch(TYPE, 20, handler)]);
    const publishing = (async () => {
      for (let n = 0; n < 1000; n += 10) {
        // Shared and single AMQP messages alternate.
        const part = messages.slice(n, n + 10);
        if (n % 20 === 0) await installation.bus.publish(part);
        else await Promise.all(part.map((message) => installation.bus.publish([message])));
      }
    })();
    for (const share of [200, 500, 800]) {
      await until(`${share} of them`, () => counts.size >= share);
      await service.stop();
      service = await installation.start('a', [onBatch(TYPE, 20, handler)]);
    }
    await publishing;
    await until('all', () => counts.size === 1000);
    await service.stop();
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(await ready(queue)).toBe(0);
  });

  it('finishes at shutdown what has begun of a shared AMQP message, and gives back what has not', async () => {
    const got: number[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const handler = async ({ data }: Message<number>): Promise<void> => {
      if (data === 0) await held;
      got.push(data);
    };
    const service = await installation.start('a', [onEvent(TYPE, handler)]);
    await installation.bus.publish([0, 1, 2].map((n) => newMessage(TYPE, n)));
    await installation.bus.publish([3, 4].map((n) => newMessage(TYPE, n)));
    await until('the first is consumed', async () => (await ready(queue)) === 1);
    const stopped = service.stop();
    release();
    await stopped;
    expect(got).toEqual([0, 1, 2]);
    expect(await ready(queue)).toBe(1);
  });

  it('parks a message that ended too many processes', async () => {
    const service = await installation.start('a', [onEvent(TYPE, () => undefined)]);
    await service.stop();
    const message = newMessage(TYPE, 'deadly');
    await installation.bus.publish([message]);
    await withChannel(async (channel) => {
      let deliveries = 0;
      for (; deliveries < 50; deliveries++) {
        const taken = await channel.get(queue);
        if (!taken) break;
        channel.nack(taken, false, true);
      }
      expect(deliveries).toBeGreaterThanOrEqual(20);
      expect(deliveries).toBeLessThan(50);
    });
    const parked = () => installation.bus.parked.list(`a.${TYPE}`);
    await until('parking', async () => (await parked()).length === 1);
    expect(await parked()).toMatchObject([{ id: message.id, reason: expect.stringContaining('delivery_limit') }]);
    const got: Message[] = [];
    await installation.start('a', [onEvent(TYPE, (one) => got.push(one))]);
    expect(await installation.bus.parked.replay(`a.${TYPE}`, message.id)).toBe(true);
    await until('the replay', () => got.length === 1);
    expect(got).toEqual([message]);
  });

  it('keeps the order of retries by their delay', async () => {
    const got: string[] = [];
    const handler = ({ data }: Message<string>, { attempt }: { attempt: number }): void => {
      got.push(`${data}${attempt}`);
      if (attempt <= 2) throw new Error('not yet');
    };
    await installation.start('a', [onEvent(TYPE, handler, { retryDelaysMs: [50, 2_500] })]);
    await installation.bus.publish([newMessage(TYPE, 'x')]);
    await until('the second attempt', () => got.length === 2);
    await installation.bus.publish([newMessage(TYPE, 'y')]);
    await until('all', () => got.length === 6);
    // y's short retry overtakes x's long one.
    expect(got).toEqual(['x1', 'x2', 'y1', 'y2', 'x3', 'y3']);
  });

  it('does not repeat a request whose handler may have run', async () => {
    const ran: unknown[] = [];
    await installation.start('a', [onRequest('things.get', (data) => ran.push(data))]);
    const requests = `${installation.namespace}.a.things.get`;
    await withChannel(async (channel) => {
      // Behind the only slot of a second consumer, given back: delivered again to the service.
      const { consumerTag } = await channel.consume(requests, (message) => {
        if (message) channel.nack(message, false, true);
      });
      const asked = Array.from({ length: 2 }, (_, n) =>
        failureOf(installation.bus.request('things.get', n, { timeoutMs: 2_500 })),
      );
      const outcomes = await Promise.all(asked);
      await channel.cancel(consumerTag);
      expect(outcomes.filter((outcome) => outcome === undefined)).toHaveLength(1);
      expect(outcomes.filter((outcome) => (outcome as Error | undefined)?.name === 'RequestTimeout')).toHaveLength(1);
    });
    expect(ran).toHaveLength(1);
  });

  it('removes the request queue with the last instance, so that callers hear at once', async () => {
    const service = await installation.start('a', [onRequest('things.get', () => 1)]);
    expect(await installation.bus.request('things.get', {}, { timeoutMs: 60_000 })).toBe(1);
    await service.stop();
    expect(await failureOf(installation.bus.request('things.get', {}, { timeoutMs: 60_000 }))).toMatchObject({
      reason: 'away',
    });
  });

  it('parks what no handler may see, and hands on the rest', async () => {
    const got: unknown[] = [];
    await installation.start('a', [onEvent(TYPE, ({ data }) => got.push(data))]);
    const { namespace, id: ours } = installation;
    const stranger = await installation.connect(undefined, 'another-installation');
    await stranger.publish([newMessage(TYPE, 'foreign')]);
    await withChannel(async (channel) => {
      const publish = (content: string, headers: object, contentType = 'application/json') =>
        channel.publish(`${namespace}.events`, TYPE, Buffer.from(content), { headers, contentType });
      const attributes = { source: '/x', time: new Date().toISOString(), type: TYPE };
      const headers = (more: object) => ({
        installation: ours,
        ...Object.fromEntries(Object.entries({ ...attributes, ...more }).map(([k, v]) => [`cloudEvents:${k}`, v])),
      });
      publish('{broken', headers({ id: '1' }));
      publish('{}', { installation: ours });
      publish('{}', headers({ id: '2', type: 'other.v1' }));
      publish('{"invalid":true}', headers({ id: '3' }));
      const event = (id: string, data: unknown) => ({ specversion: '1.0', ...attributes, id, data });
      const batch = [event('4', 'good'), event('5', { invalid: true }), 7];
      publish(JSON.stringify(batch), { installation: ours }, 'application/cloudevents-batch+json');
      publish('{}', { installation: ours }, 'application/cloudevents-batch+json');
      publish('[]', { installation: ours }, 'application/cloudevents-batch+json');
    });
    const parked = () => installation.bus.parked.list(`a.${TYPE}`);
    await until('eight', async () => (await parked()).length === 8);
    await until('the good one', () => got.length === 1);
    expect(got).toEqual(['good']);
    const reasons = (await parked()).map(({ reason }) => reason.split(/[:(]/)[0]!.trim()).toSorted();
    expect(reasons).toEqual([
      'it is from another installation',
      'it is not a CloudEvents 1.0 event',
      'it is not a CloudEvents 1.0 event',
      'its body is a CloudEvents batch but not a list',
      'its body is not JSON',
      "its type is other.v1, the queue's is thing.happened.v1",
      'thing.happened.v1',
      'thing.happened.v1',
    ]);
    await until('nothing is left', async () => (await ready(queue)) === 0);
  });

  it('answers requests of another installation with a 500', async () => {
    await installation.start('a', [onRequest('things.get', () => 1)]);
    const stranger = await installation.connect(undefined, 'another-installation');
    const error = await failureOf(stranger.request('things.get', {}, { timeoutMs: 60_000 }));
    expect(error).toMatchObject({ name: 'Refusal', status: 500 });
    expect(installation.log.matching('another installation')).toHaveLength(1);
  });

  it('carries one event in binary mode and several in a CloudEvents batch, in persistent messages within the limits', async () => {
    const service = await installation.start('a', [onEvent(TYPE, () => undefined)]);
    await service.stop();
    const message = newMessage(TYPE, { n: 1 }, { subject: 's', correlationId: 'c', traceparent: 't' });
    await installation.bus.publish([message]);
    const [single] = await takeAll(queue);
    expect(single!.properties).toMatchObject({
      contentType: 'application/json',
      deliveryMode: 2,
      correlationId: 'c',
      headers: {
        installation: installation.id,
        'cloudEvents:specversion': '1.0',
        'cloudEvents:id': message.id,
        'cloudEvents:type': TYPE,
        'cloudEvents:source': '/test',
        'cloudEvents:time': message.time,
        'cloudEvents:subject': 's',
        traceparent: 't',
      },
    });
    expect(JSON.parse(single!.content.toString())).toEqual({ n: 1 });

    await installation.bus.publish([message, newMessage(TYPE, 2)]);
    const [batch] = await takeAll(queue);
    expect(batch!.properties.contentType).toBe('application/cloudevents-batch+json');
    const { id, source, time } = message;
    expect(JSON.parse(batch!.content.toString())[0]).toEqual({
      specversion: '1.0',
      id,
      source,
      type: TYPE,
      time,
      subject: 's',
      correlationid: 'c',
      traceparent: 't',
      datacontenttype: 'application/json',
      data: { n: 1 },
    });

    await installation.bus.publish(Array.from({ length: 450 }, (_, n) => newMessage(TYPE, n)));
    const byCount = await takeAll(queue);
    expect(byCount.map(({ content }) => JSON.parse(content.toString()).length).toSorted((a, b) => a - b)).toEqual([
      50, 200, 200,
    ]);
    await installation.bus.publish(Array.from({ length: 4 }, () => newMessage(TYPE, 'x'.repeat(100_000))));
    expect(await takeAll(queue)).toHaveLength(2);
  });

  it('refuses what the broker would not take, without harm to others', async () => {
    await installation.start('a', [onEvent(TYPE, () => undefined)]);
    const [tooLarge, fine] = [newMessage(TYPE, 'x'.repeat(17 * 1024 * 1024)), newMessage(TYPE, 'fine')];
    const [first, second] = await Promise.all([
      failureOf(installation.bus.publish([tooLarge])),
      failureOf(installation.bus.publish([fine])),
    ]);
    expect(first).toMatchObject({ reason: 'refused', ids: [tooLarge.id] });
    expect(second).toBeUndefined();
  });

  it('knows no parked messages of a queue that does not exist', async () => {
    expect(await failureOf(installation.bus.parked.list('nobody.nothing.v1'))).toMatchObject({ reason: 'unroutable' });
  });
});
