import { Refusal } from '#libs/contracts';
import {
  BatchFailures,
  type Message,
  type ParkedMessage,
  PublishFailed,
  RequestTimeout,
  RetryLater,
  Unprocessable,
} from './index.js';
import { type Installation, inProcess, newMessage, onRabbit, type RunningService } from './testing/installation.js';
import { onBatch, onEvent, onRequest } from './testing/service.js';
import { until } from './testing/until.js';

const TYPE = 'thing.happened.v1';
const RETRIES = { retryDelaysMs: [60, 240] };

/** Resolves when opened. */
class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each([
  // What the publisher of a message hears whose handler hangs at shutdown: the broker confirmed it before, and has it again.
  { name: 'RabbitMQ', install: onRabbit, hanging: undefined },
  { name: 'in process', install: inProcess, hanging: 'closing' },
])('$name', ({ name, install, hanging }: { name: string; install: () => Promise<Installation>; hanging?: string }) => {
  let installation: Installation;

  beforeEach(async () => {
    installation = await install();
  });
  afterEach(() => installation.remove());

  describe('events', () => {
    it('reach the handler of every service once, with all their attributes', async () => {
      const got: Record<string, unknown[]> = { a: [], b: [] };
      await installation.start('a', [onEvent(TYPE, (message, context) => got.a!.push([message, context]))]);
      await installation.start('b', [onEvent(TYPE, (message, context) => got.b!.push([message, context]))]);
      const message = newMessage(
        TYPE,
        { text: 'Grüße\u0000', nested: [1, { deep: null }] },
        {
          subject: 'projects/1',
          correlationId: 'c-1',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
      );
      await installation.bus.publish([message]);
      await until('both services', () => got.a!.length > 0 && got.b!.length > 0);
      const expected = [[message, { attempt: 1, lastAttempt: false }]];
      expect(got).toEqual({ a: expected, b: expected });
    });

    it('of one call keep their own identity, also when they share an AMQP message', async () => {
      const got: Message[] = [];
      await installation.start('a', [onEvent(TYPE, (message) => got.push(message))]);
      const messages = [
        newMessage(TYPE, { n: 1 }),
        newMessage(TYPE, { n: 2 }, { subject: 's', correlationId: 'c', traceparent: 't' }),
        newMessage(TYPE, null),
      ];
      await installation.bus.publish(messages);
      await until('three', () => got.length === 3);
      expect(got).toEqual(messages);
    });

    it('cross as JSON: the handler gets a copy without undefined, dates as text', async () => {
      const got: Message[] = [];
      await installation.start('a', [onEvent(TYPE, (message) => got.push(message))]);
      const data = { gone: undefined, at: new Date(0), list: [1] };
      await installation.bus.publish([newMessage(TYPE, data)]);
      await until('one', () => got.length === 1);
      expect(got[0]!.data).toEqual({ at: '1970-01-01T00:00:00.000Z', list: [1] });
      expect(Object.keys(got[0]!.data as object)).not.toContain('gone');
      (got[0]!.data as typeof data).list.push(2);
      expect(data.list).toEqual([1]);
    });

    it('of several types in one call go to their handlers', async () => {
      const got: string[] = [];
      await installation.start('a', [
        onEvent('one.v1', ({ type }) => got.push(type)),
        onEvent('two.v1', ({ type }) => got.push(type)),
      ]);
      await installation.bus.publish([newMessage('one.v1', 1), newMessage('two.v1', 2), newMessage('one.v1', 3)]);
      await until('three', () => got.length === 3);
      expect(got.toSorted()).toEqual(['one.v1', 'one.v1', 'two.v1']);
    });

    it('that nobody wants are unroutable, and only those are named', async () => {
      await installation.start('a', [onEvent(TYPE, () => undefined)]);
      const wanted = newMessage(TYPE, {});
      const unwanted = newMessage('nobody.wants.v1', {});
      const error = await failureOf(installation.bus.publish([wanted, unwanted]));
      expect(error).toBeInstanceOf(PublishFailed);
      expect(error).toMatchObject({ reason: 'unroutable', ids: [unwanted.id] });
    });

    it('that are not valid are refused where they are made', async () => {
      await installation.start('a', [onEvent(TYPE, () => undefined)]);
      const error = await failureOf(installation.bus.publish([newMessage(TYPE, { invalid: true })]));
      expect(error).toMatchObject({ reason: 'refused', message: expect.stringContaining('marked as invalid') });
    });

    it('run as many at a time as the handler says, and no more', async () => {
      const gate = new Gate();
      let running = 0;
      let most = 0;
      let done = 0;
      const handler = async (): Promise<void> => {
        most = Math.max(most, ++running);
        await gate.opened;
        running--;
        done++;
      };
      await installation.start('a', [onEvent(TYPE, handler, { concurrency: 3 })]);
      const published = installation.bus.publish(Array.from({ length: 8 }, (_, n) => newMessage(TYPE, n)));
      await until('three at a time', () => running === 3);
      gate.open();
      await published;
      await until('all', () => done === 8);
      expect(most).toBe(3);
    });
  });

  describe('batches', () => {
    it('take what is there, at most the given number, and do not wait for more', async () => {
      const gate = new Gate();
      const sizes: number[] = [];
      const handler = async (messages: Message[]): Promise<void> => {
        sizes.push(messages.length);
        if (sizes.length === 1) await gate.opened;
      };
      await installation.start('a', [onBatch(TYPE, 4, handler)]);
      const first = installation.bus.publish([newMessage(TYPE, 0)]);
      await until('the first alone', () => sizes.length === 1);
      const rest = installation.bus.publish(Array.from({ length: 10 }, (_, n) => newMessage(TYPE, n)));
      if (name === 'RabbitMQ') await rest;
      gate.open();
      await Promise.all([first, rest]);
      await until('all', () => sizes.reduce((sum, size) => sum + size, 0) === 11);
      expect(sizes[0]).toBe(1);
      expect(Math.max(...sizes)).toBe(4);
    });

    it('may rest after each run, and what comes meanwhile is in the next one', async () => {
      const runs: unknown[][] = [];
      const handler = (messages: Message[]): void => void runs.push(messages.map(({ data }) => data));
      await installation.start('a', [onBatch(TYPE, 10, handler, { ...RETRIES, restMs: 1_500 })]);
      await installation.bus.publish([newMessage(TYPE, 0)]);
      await until('the first, without waiting', () => runs.length === 1);
      await Promise.all([1, 2, 3].map((n) => installation.bus.publish([newMessage(TYPE, n)])));
      await until('the rest', () => runs.flat().length === 4);
      expect(runs).toEqual([[0], [1, 2, 3]]);
    });

    it('that fail are run again one by one, and only what fails then is tried again', async () => {
      const runs: string[][] = [];
      const handler = (messages: Message<string>[], { attempt }: { attempt: number }): void => {
        runs.push(messages.map(({ data }) => data));
        if (attempt === 1 && messages.some(({ data }) => data === 'bad')) throw new Error('bad one');
      };
      await installation.start('a', [onBatch(TYPE, 10, handler, RETRIES)]);
      await installation.bus.publish(['x', 'bad', 'y'].map((data) => newMessage(TYPE, data)));
      await until('the retry', () => runs.length === 5);
      expect(runs).toEqual([['x', 'bad', 'y'], ['x'], ['bad'], ['y'], ['bad']]);
    });

    it('may name the ones that failed, and the others are done', async () => {
      const runs: string[][] = [];
      const handler = (messages: Message<string>[]): void => {
        runs.push(messages.map(({ data }) => data));
        if (runs.length > 1) return;
        const id = (data: string): string => messages.find((message) => message.data === data)!.id;
        throw new BatchFailures(
          new Map<string, unknown>([
            [id('later'), new RetryLater(10)],
            [id('never'), new Unprocessable('it is a cow')],
          ]),
        );
      };
      const { strategy } = await installation.start('a', [onBatch(TYPE, 10, handler, RETRIES)]);
      await installation.bus.publish(['x', 'later', 'y', 'never'].map((data) => newMessage(TYPE, data)));
      await until('the retry', () => runs.length === 2);
      await until('the parked', async () => (await installation.bus.parked.list(`a.${TYPE}`)).length === 1);
      expect(runs).toEqual([['x', 'later', 'y', 'never'], ['later']]);
      expect(await installation.bus.parked.list(`a.${TYPE}`)).toMatchObject([{ reason: 'it is a cow' }]);
      expect(strategy.handled).toMatchObject([{ counts: { done: 3, retried: 1, parked: 1, dropped: 0 } }]);
    });
  });

  describe('failing handlers', () => {
    it('get the message again after each delay, then it is parked with the last reason', async () => {
      const attempts: { attempt: number; lastAttempt: boolean; at: number }[] = [];
      const handler = (_message: Message, context: { attempt: number; lastAttempt: boolean }): void => {
        attempts.push({ ...context, at: Date.now() });
        throw new Error(`no luck ${attempts.length}`);
      };
      const { strategy } = await installation.start('a', [onEvent(TYPE, handler, RETRIES)]);
      const message = newMessage(TYPE, { n: 1 });
      await installation.bus.publish([message]);
      await until('parking', async () => (await installation.bus.parked.list(`a.${TYPE}`)).length === 1);
      expect(attempts.map(({ attempt, lastAttempt }) => [attempt, lastAttempt])).toEqual([
        [1, false],
        [2, false],
        [3, true],
      ]);
      expect(attempts[1]!.at - attempts[0]!.at).toBeGreaterThanOrEqual(55);
      expect(attempts[2]!.at - attempts[1]!.at).toBeGreaterThanOrEqual(235);
      const [parked] = await installation.bus.parked.list(`a.${TYPE}`);
      expect(parked).toMatchObject({
        id: message.id,
        queue: `a.${TYPE}`,
        reason: 'failed 3 times, at last: no luck 3',
        messages: [message],
      });
      expect(Math.abs(Date.now() - Date.parse(parked!.parkedAt))).toBeLessThan(60_000);
      expect(strategy.handled).toEqual([
        { queue: `a.${TYPE}`, kept: true, counts: { done: 0, retried: 2, parked: 1, dropped: 0 } },
      ]);
    });

    it('may say that trying again cannot help', async () => {
      let runs = 0;
      const handler = (): void => {
        runs++;
        throw new Unprocessable('the ref does not exist');
      };
      await installation.start('a', [onEvent(TYPE, handler, RETRIES)]);
      await installation.bus.publish([newMessage(TYPE, {})]);
      await until('parking', async () => (await installation.bus.parked.list(`a.${TYPE}`)).length === 1);
      expect(await installation.bus.parked.list(`a.${TYPE}`)).toMatchObject([{ reason: 'the ref does not exist' }]);
      expect(runs).toBe(1);
    });

    it('may put a message off, as often as they like, without an attempt being counted', async () => {
      const attempts: number[] = [];
      const handler = (_message: Message, { attempt }: { attempt: number }): void => {
        attempts.push(attempt);
        if (attempts.length <= 4) throw new RetryLater(20);
      };
      await installation.start('a', [onEvent(TYPE, handler, RETRIES)]);
      await installation.bus.publish([newMessage(TYPE, {})]);
      await until('success', () => attempts.length === 5);
      expect(attempts).toEqual([1, 1, 1, 1, 1]);
    });

    it('do not hold up the messages behind', async () => {
      const got: string[] = [];
      const handler = ({ data }: Message<string>, { attempt }: { attempt: number }): void => {
        got.push(data);
        if (data === 'bad' && attempt === 1) throw new Error('bad');
      };
      await installation.start('a', [onEvent(TYPE, handler, RETRIES)]);
      await installation.bus.publish(['bad', 'x', 'y'].map((data) => newMessage(TYPE, data)));
      await until('all', () => got.length === 4);
      expect(got).toEqual(['bad', 'x', 'y', 'bad']);
    });

    it('of one service do not concern another', async () => {
      const got: string[] = [];
      await installation.start('a', [
        onEvent(
          TYPE,
          (_message, { attempt }) => {
            got.push(`a${attempt}`);
            if (attempt === 1) throw new Error('once');
          },
          RETRIES,
        ),
      ]);
      await installation.start('b', [onEvent(TYPE, (_message, { attempt }) => got.push(`b${attempt}`), RETRIES)]);
      await installation.bus.publish([newMessage(TYPE, {})]);
      await until('three', () => got.length === 3);
      expect(got.toSorted()).toEqual(['a1', 'a2', 'b1']);
    });
  });

  it('tells how many messages wait for a handler, and whether there is one', async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    let begun = 0;
    await installation.start('a', [onEvent(TYPE, () => (begun++, finished))]);
    expect(await installation.bus.backlog(`a.${TYPE}`)).toEqual({ waiting: 0, consumers: 1 });
    expect(await installation.bus.backlog('nobody.nothing')).toEqual({ waiting: 0, consumers: 0 });
    const published = installation.bus.publish(
      ['one', 'two', 'three'].map((data) => newMessage(TYPE, data, { source: `/${data}` })),
    );
    await until('the first', () => begun === 1);
    finish();
    await published;
    await until('all', () => begun === 3);
    await until('none to wait', async () => (await installation.bus.backlog(`a.${TYPE}`)).waiting === 0);
  });

  describe('parked messages', () => {
    let broken: boolean;
    let handled: string[];
    let failures: number;
    const queue = `a.${TYPE}`;

    beforeEach(async () => {
      broken = true;
      handled = [];
      failures = 0;
      const handler = ({ data }: Message<string>): void => {
        if (broken) throw new Unprocessable(`failure ${++failures}`);
        handled.push(data);
      };
      await installation.start('a', [onEvent(TYPE, handler, RETRIES)]);
    });

    it('can be replayed, looked at without harm, and dropped', async () => {
      const [one, two] = [newMessage(TYPE, 'one'), newMessage(TYPE, 'two')];
      await installation.bus.publish([one, two]);
      const parkedIds = async (): Promise<string[]> => (await installation.bus.parked.list(queue)).map(({ id }) => id);
      await until('both', async () => (await parkedIds()).length === 2);
      const { parked } = installation.bus;
      // What was looked at is back a moment later.
      const back = () => until('the messages to be back', async () => (await parked.count(queue)) === 2);
      await back();
      const all = await parkedIds();
      expect(all.toSorted()).toEqual([one.id, two.id].toSorted());
      for (const position of [0, 1, 0]) {
        await back();
        expect((await parked.list(queue, 1, position)).map(({ id }) => id)).toEqual([all[position]]);
      }
      expect(await parked.list(queue, 1, 2)).toEqual([]);
      expect(await parked.find(queue, two.id)).toMatchObject({ id: two.id, messages: [two] });
      expect(await parked.find(queue, 'none')).toBeUndefined();
      const no = async ({ id }: ParkedMessage) => {
        throw new Error(`not ${id}`);
      };
      await expect(parked.replay(queue, two.id, no)).rejects.toThrow(`not ${two.id}`);
      await expect(parked.drop(queue, two.id, no)).rejects.toThrow(`not ${two.id}`);
      broken = false;
      expect(await installation.bus.parked.replay(queue, two.id)).toBe(true);
      await until('the replay', () => handled.length === 1);
      expect(handled).toEqual(['two']);
      await until('the row is gone', async () => (await parkedIds()).length === 1);
      expect(await parkedIds()).toEqual([one.id]);
      expect(await installation.bus.parked.drop(queue, one.id)).toBe(true);
      expect(await parkedIds()).toEqual([]);
      expect(await installation.bus.parked.drop(queue, one.id)).toBe(false);
      expect(await installation.bus.parked.replay(queue, one.id)).toBe(false);
    });

    it('are parked once more when they fail again', async () => {
      const message = newMessage(TYPE, 'one');
      await installation.bus.publish([message]);
      const parked = () => installation.bus.parked.list(queue);
      await until('parking', async () => (await parked()).length === 1);
      expect(await parked()).toMatchObject([{ reason: 'failure 1' }]);
      await installation.bus.parked.replay(queue, message.id);
      await until('again', async () => (await parked())[0]?.reason === 'failure 2');
      expect(await parked()).toMatchObject([{ id: message.id, messages: [message] }]);
    });
  });

  describe('fan-out', () => {
    it('loses what its handler fails with, and is not waited for', async () => {
      const got: string[] = [];
      await installation.start('a', [
        onEvent(
          TYPE,
          ({ data }) => {
            got.push(data as string);
            if (data === 'bad') throw new Error('bad');
          },
          { fanOut: true, ...RETRIES },
        ),
      ]);
      await installation.bus.publish([newMessage(TYPE, 'bad')]);
      await installation.bus.publish([newMessage(TYPE, 'good')]);
      await until('both', () => got.length === 2);
      await until('the loss is told', () => installation.log.matching('is dropped').length === 1);
      expect(got).toEqual(['bad', 'good']);
    });
  });

  describe('addressed events', () => {
    it('go to handlers that say so, with and without an address', async () => {
      const got: string[] = [];
      const { bus } = await installation.start('a', [
        onEvent(TYPE, ({ data }) => got.push(data as string), { addressed: true }),
      ]);
      await installation.bus.publish([newMessage(TYPE, 'to it')], { to: bus.instance });
      await installation.bus.publish([newMessage(TYPE, 'to nobody')]);
      await installation.bus.publish([newMessage(TYPE, 'to one that is gone')], { to: 'gone' });
      await until('three', () => got.length === 3);
      expect(got.toSorted()).toEqual(['to it', 'to nobody', 'to one that is gone']);
    });

    it('are tried again like others', async () => {
      const attempts: number[] = [];
      const handler = (_message: Message, { attempt }: { attempt: number }): void => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error('once');
      };
      const { bus } = await installation.start('a', [onEvent(TYPE, handler, { addressed: true, ...RETRIES })]);
      await installation.bus.publish([newMessage(TYPE, {})], { to: bus.instance });
      await until('the retry', () => attempts.length === 2);
      expect(attempts).toEqual([1, 2]);
    });

    it('do not go to handlers that do not say so', async () => {
      const { bus } = await installation.start('a', [onEvent(TYPE, () => undefined)]);
      const error = await failureOf(installation.bus.publish([newMessage(TYPE, {})], { to: bus.instance }));
      expect(error).toMatchObject({ reason: 'unroutable' });
    });
  });

  describe('requests', () => {
    it('are answered, with the data and the trace handed on', async () => {
      const contexts: unknown[] = [];
      await installation.start('a', [
        onRequest('things.double', (data, context) => {
          contexts.push(context);
          return { doubled: data.n * 2, gone: undefined };
        }),
      ]);
      const limit = { timeoutMs: 60_000, traceparent: '00-x' };
      const asked = Date.now();
      const reply = await installation.bus.request('things.double', { n: 21 }, limit);
      const answered = Date.now();
      expect(reply).toStrictEqual({ doubled: 42 });
      expect(contexts).toMatchObject([
        {
          pattern: 'things.double',
          traceparent: '00-x',
          correlationId: expect.any(String),
          deadline: expect.any(Number),
        },
      ]);
      const { deadline } = contexts[0] as { deadline: number };
      expect(deadline).toBeGreaterThanOrEqual(asked + limit.timeoutMs - 1);
      expect(deadline).toBeLessThanOrEqual(answered + limit.timeoutMs + 1);
    });

    it.each([
      ['null', null, null],
      ['nothing', undefined, undefined],
      ['false', false, false],
      ['a list', [1, 2], [1, 2]],
    ])('may be answered with %s', async (_what, answer, expected) => {
      await installation.start('a', [onRequest('things.get', () => answer)]);
      expect(await installation.bus.request('things.get', null, { timeoutMs: 60_000 })).toEqual(expected);
    });

    it('are refused as the handler refuses them', async () => {
      await installation.start('a', [
        onRequest('things.get', () => {
          throw new Refusal(429, { message: { base: ['too many'] } }, { 'Retry-After': '7' });
        }),
      ]);
      const error = await failureOf(installation.bus.request('things.get', {}, { timeoutMs: 60_000 }));
      expect(error).toBeInstanceOf(Refusal);
      expect(error).toMatchObject({
        status: 429,
        body: { message: { base: ['too many'] } },
        headers: { 'Retry-After': '7' },
      });
      expect(installation.log.matching('too many')).toEqual([]);
    });

    it('get a 500 when the handler fails, which the log tells once and the caller not at all', async () => {
      await installation.start('a', [
        onRequest('things.get', () => {
          throw new Error('secret of the inside');
        }),
      ]);
      const error = await failureOf(installation.bus.request('things.get', {}, { timeoutMs: 60_000 }));
      expect(error).toBeInstanceOf(Refusal);
      expect(error).toMatchObject({ status: 500, body: { message: '500 Internal Server Error' } });
      expect((error as Error).message).not.toContain('secret');
      expect(installation.log.matching('secret of the inside')).toHaveLength(1);
    });

    it('get a 503 when a server that the handler needs is away', async () => {
      await installation.start('a', [
        onRequest('things.get', () => {
          throw Object.assign(new Error('secret of the inside'), { code: '57P01' });
        }),
      ]);
      const error = await failureOf(installation.bus.request('things.get', {}, { timeoutMs: 60_000 }));
      expect(error).toMatchObject({ status: 503, headers: { 'Retry-After': expect.stringMatching(/^\d+$/) } });
      expect((error as Error).message).not.toContain('secret');
    });

    it('that nobody handles are rejected at once', async () => {
      // It does not wait for the time-out, which would be another error.
      const error = await failureOf(installation.bus.request('nobody.home', {}, { timeoutMs: 60_000 }));
      expect(error).toBeInstanceOf(PublishFailed);
      expect(error).toMatchObject({ reason: 'away', ids: [] });
    });

    it('that are not valid are refused where they are made', async () => {
      await installation.start('a', [onRequest('things.get', () => 1)]);
      const error = await failureOf(installation.bus.request('things.get', { invalid: true }, { timeoutMs: 60_000 }));
      expect(error).toMatchObject({ reason: 'refused' });
    });

    it('time out, and those that expired while waiting are never run', async () => {
      const gate = new Gate();
      const ran: string[] = [];
      const handler = async (data: string): Promise<string> => {
        ran.push(data);
        if (data === 'slow') await gate.opened;
        return data;
      };
      await installation.start('a', [onRequest('things.get', handler, { concurrency: 1 })]);
      const slow = installation.bus.request('things.get', 'slow', { timeoutMs: 60_000 });
      await until('the slow one', () => ran.length === 1);
      const error = await failureOf(installation.bus.request('things.get', 'expired', { timeoutMs: 80 }));
      expect(error).toBeInstanceOf(RequestTimeout);
      expect(error).toMatchObject({ pattern: 'things.get', timeoutMs: 80 });
      await installation.expired('a', 'things.get');
      gate.open();
      expect(await slow).toBe('slow');
      expect(await installation.bus.request('things.get', 'next', { timeoutMs: 60_000 })).toBe('next');
      expect(ran).toEqual(['slow', 'next']);
    });

    it('run side by side', async () => {
      const gate = new Gate();
      let running = 0;
      await installation.start('a', [
        onRequest('things.get', async (n) => {
          if (++running === 20) gate.open();
          await gate.opened;
          return n;
        }),
      ]);
      const numbers = Array.from({ length: 20 }, (_, n) => n);
      const replies = numbers.map((n) => installation.bus.request('things.get', n, { timeoutMs: 60_000 }));
      expect(await Promise.all(replies)).toEqual(numbers);
    });
  });

  describe('starting', () => {
    it('tells each binding in one line', async () => {
      await installation.start('a', [onBatch(TYPE, 7, () => undefined), onRequest('things.get', () => undefined)]);
      expect(installation.log.matching('a handles thing.happened.v1 (batch 7)')).toHaveLength(1);
      expect(installation.log.matching('a answers things.get')).toHaveLength(1);
    });

    it('is refused with everything that is wrong with the handlers', async () => {
      const start = installation.start(
        'a',
        [
          onEvent(TYPE, () => undefined),
          onEvent(TYPE, () => undefined),
          onRequest('things.get', () => undefined, { concurrency: 0 }),
          onEvent('other.v1', () => undefined, { fanOut: true, addressed: true, retryDelaysMs: [5, 1] }),
        ],
        [TYPE, 'missing.v1', 'things.get'],
      );
      const { message } = (await failureOf(start)) as Error;
      expect(message.split('\n')).toEqual([
        'a cannot start:',
        '- thing.happened.v1 has more than one handler',
        '- things.get: concurrency is 0, it must be a whole number from 1',
        '- other.v1: retryDelaysMs must be whole milliseconds from 1, growing',
        '- other.v1: fanOut and addressed exclude each other',
        '- missing.v1 has no handler: is its controller in a module?',
        '- other.v1 has a handler but is not among the messages of this service',
      ]);
    });
  });

  describe('stopping', () => {
    it('waits for the handlers that run', async () => {
      const gate = new Gate();
      const steps: string[] = [];
      const service: RunningService = await installation.start('a', [
        onEvent(TYPE, async () => {
          steps.push('begun');
          await gate.opened;
          steps.push('done');
        }),
        onRequest('things.get', async () => {
          steps.push('asked');
          await gate.opened;
          return 'answer';
        }),
      ]);
      const published = installation.bus.publish([newMessage(TYPE, {})]);
      const reply = installation.bus.request('things.get', {}, { timeoutMs: 60_000 });
      await until('both run', () => steps.length === 2);
      const stopped = service.stop().then(() => steps.push('stopped'));
      gate.open();
      await Promise.all([stopped, published]);
      expect(await reply).toBe('answer');
      expect(steps.slice(2)).toEqual(['done', 'stopped']);
    });

    it('does not wait for ever for a handler that hangs', async () => {
      let begun = 0;
      const hang = (): Promise<void> => {
        begun++;
        return new Promise(() => undefined);
      };
      const service = await installation.start('a', [onEvent(TYPE, hang), onRequest('things.get', hang)]);
      const published = failureOf(installation.bus.publish([newMessage(TYPE, {})]));
      // Long enough to arrive, and over before the service gives up.
      const reply = failureOf(installation.bus.request('things.get', {}, { timeoutMs: 8_000 }));
      await until('both hang', () => begun === 2);
      const before = Date.now();
      await service.stop();
      const waited = Date.now() - before;
      expect(waited).toBeGreaterThan(9_000);
      expect(waited).toBeLessThan(60_000);
      expect(await reply).toBeInstanceOf(RequestTimeout);
      expect(((await published) as PublishFailed | undefined)?.reason).toBe(hanging);
    });

    it('takes nothing new', async () => {
      await installation.start('a', [onEvent(TYPE, () => undefined), onRequest('things.get', () => 1)]);
      await installation.bus.close();
      expect(installation.bus.connected).toBe(false);
      const closing = { reason: 'closing' };
      expect(await failureOf(installation.bus.publish([newMessage(TYPE, {})]))).toMatchObject(closing);
      expect(await failureOf(installation.bus.request('things.get', {}, { timeoutMs: 100 }))).toMatchObject(closing);
    });
  });

  it('is connected, and tells so to those who ask', async () => {
    expect(installation.bus.connected).toBe(true);
    await new Promise<void>((resolve) => installation.bus.onConnected(resolve));
    let told = 0;
    const stop = installation.bus.onConnected(() => told++);
    stop();
    await new Promise<void>((resolve) => installation.bus.onConnected(resolve));
    expect(told).toBe(0);
  });
});
