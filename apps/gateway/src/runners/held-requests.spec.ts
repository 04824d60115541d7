import { jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import type { JobOutline, RunnerReach } from '#libs/contracts';
import { type Attempt, HeldRequests, mostHeld } from './held-requests.js';

const anything: RunnerReach = { tags: [], runUntagged: true, protectedOnly: false, projectIds: null };
const job: JobOutline = { projectId: 1, tags: [], protected: false };
const open = new AbortController().signal;

/** A request whose attempts the test answers. */
class Request {
  readonly #answers: ((attempt: Attempt<string>) => void)[] = [];
  attempts = 0;
  readonly result: Promise<string | undefined>;

  constructor(held: HeldRequests, holdMs = 60_000, gone = open) {
    this.result = held.hold(
      () => {
        this.attempts += 1;
        return new Promise<Attempt<string>>((resolve) => this.#answers.push(resolve));
      },
      holdMs,
      gone,
    );
  }

  async nothing(reach = anything): Promise<this> {
    this.#answers.shift()?.({ reach });
    await turn();
    return this;
  }

  find(what: string): Promise<string | undefined> {
    this.#answers.shift()?.({ found: what });
    return this.result;
  }
}

const nobody = () => Promise.resolve([]);

it('lets no more wait than it may', async () => {
  const held = new HeldRequests(nobody);
  const requests = Array.from({ length: mostHeld + 1 }, () => new Request(held));
  for (const request of requests) await request.nothing();
  expect(await requests.at(-1)?.result).toBeUndefined();
  held.stop();
  expect(new Set(await Promise.all(requests.map(({ result }) => result)))).toEqual(new Set([undefined]));
});

it('tries before it waits', async () => {
  const request = new Request(new HeldRequests(nobody));
  expect(await request.find('a job')).toBe('a job');
});

it('one job wakes one request, the longest waiting first, and nobody twice', async () => {
  const held = new HeldRequests(nobody);
  const requests = [new Request(held), new Request(held), new Request(held)];
  for (const request of requests) await request.nothing();
  held.hint(job);
  await turn();
  expect(requests.map(({ attempts }) => attempts)).toEqual([2, 1, 1]);
  held.hint(job);
  await turn();
  expect(requests.map(({ attempts }) => attempts)).toEqual([2, 2, 1]);
  held.stop();
});

it('a job wakes only those who may take it', async () => {
  const held = new HeldRequests(nobody);
  const plain = await new Request(held).nothing();
  const tagged = await new Request(held).nothing({ ...anything, tags: ['gpu'] });
  held.hint({ ...job, tags: ['gpu'] });
  await turn();
  expect([plain.attempts, tagged.attempts]).toEqual([1, 2]);
  held.stop();
});

it('a job that comes while a request is asking makes it ask again', async () => {
  const held = new HeldRequests(nobody);
  const request = new Request(held);
  held.hint(job);
  await request.nothing();
  expect(request.attempts).toBe(2);
  expect(await request.find('it')).toBe('it');
});

it('ends with the time, when the caller goes, and when it is stopped', async () => {
  const held = new HeldRequests(nobody);
  const late = await new Request(held, 1).nothing();
  expect(await late.result).toBeUndefined();
  const gone = new AbortController();
  const left = await new Request(held, 60_000, gone.signal).nothing();
  gone.abort();
  expect(await left.result).toBeUndefined();
  const stopped = await new Request(held).nothing();
  held.stop();
  expect(await stopped.result).toBeUndefined();
  const after = await new Request(held).nothing();
  expect(await after.result).toBeUndefined();
});

it('is not held at all with no time', async () => {
  const request = await new Request(new HeldRequests(nobody), 0).nothing();
  expect(await request.result).toBeUndefined();
});

it('looks at the queue for all at once, and as many wake as there are jobs', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance'] });
  try {
    let looks = 0;
    const held = new HeldRequests(async () => {
      looks += 1;
      return [{ ...job, count: 2 }];
    });
    const requests = [new Request(held), new Request(held), new Request(held)];
    for (const request of requests) await request.nothing();
    jest.advanceTimersByTime(2_000);
    await turn();
    expect(looks).toBe(1);
    expect(requests.map(({ attempts }) => attempts)).toEqual([2, 2, 1]);
    held.stop();
    for (const request of requests) await request.nothing();
    jest.advanceTimersByTime(10_000);
    expect(looks).toBe(1);
  } finally {
    jest.useRealTimers();
  }
});
