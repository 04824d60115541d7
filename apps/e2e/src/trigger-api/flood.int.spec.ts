import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';

/** The least that an operator may give: the smaller, the sooner it is full. */
const bodyMemoryMib = 128;
/** What docs/operating.md promises for that: the memory for bodies four times, beside what an idle gateway takes. */
const mostRssMib = 4 * bodyMemoryMib + 256;
const flagfall = startsFlagfall({ name: 'flood', environment: { BODY_MEMORY_MIB: String(bodyMemoryMib) } });

const mib = 1024 * 1024;
const largest = 16 * mib;
const guess = { projectId: 1, token: 'glptt-guessed' };

/** As large as may be, and made to take as much memory as may be once it is read. */
const hostile = (() => {
  const head = `{"ref":"main","token":"${guess.token}","a":[${'[],'.repeat(999_000)}1],"b":"`;
  return Buffer.from(`${head}${'x'.repeat(largest - head.length - 2)}"}`);
})();

/** Of one request on a connection of its own. */
interface Sent {
  socket: Socket;
  /** The first line of the answer with its headers; empty when there was none. */
  answer: Promise<string>;
}

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** @param chunked without a Content-Length */
function post(body: Buffer, { projectId }: { projectId: number }, sent = body.length, chunked = false): Sent {
  const socket = connect(flagfall.installation.ports[0] as number, '127.0.0.1');
  open.push(socket);
  const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  socket.write(
    `POST /api/v4/projects/${projectId}/trigger/pipeline HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${length}\r\n\r\n`,
  );
  const part = body.subarray(0, sent);
  if (chunked) {
    socket.write(`${part.length.toString(16)}\r\n`);
    socket.write(part);
    socket.write('\r\n0\r\n\r\n');
  } else {
    socket.write(part);
  }
  let received = '';
  const answer = new Promise<string>((resolve) => {
    const done = () => resolve(received.split('\r\n\r\n')[0] ?? '');
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (received.includes('\r\n\r\n')) done();
    });
    socket.on('error', done).on('close', done);
  });
  return { socket, answer };
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

/** The most that the gateway has had in memory since it started. In MiB. */
async function peakRss(): Promise<number> {
  const [gateway] = flagfall.installation.gateways;
  const status = await readFile(`/proc/${gateway?.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function newTrigger(): Promise<Trigger> {
  return flagfall.newTrigger(await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: {script: [make]}' } }));
}

/** Triggers one after the other until `over`, each of which has to make a pipeline. @returns how many, and the slowest in ms */
async function smallTriggers(trigger: Trigger, over: () => boolean): Promise<{ made: number; slowest: number }> {
  let made = 0;
  let slowest = 0;
  while (!over()) {
    const began = performance.now();
    await flagfall.trigger(trigger);
    slowest = Math.max(slowest, performance.now() - began);
    made += 1;
  }
  return { made, slowest };
}

it.each([
  ['with their length', false],
  ['in chunks', true],
])('a flood of large bodies %s is refused where there is no room, and small triggers go on', async (_, chunked) => {
  const trigger = await newTrigger();
  const idle = await peakRss();
  let over = false;
  const small = smallTriggers(trigger, () => over);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => post(hostile, guess, hostile.length, chunked).answer),
  );
  over = true;
  const { made, slowest } = await small;
  const statuses = answers.map(statusOf);
  const refused = answers.filter((answer) => statusOf(answer) === 503);
  process.stdout.write(
    `flood: ${refused.length} of 60 refused, ${made} small triggers, the slowest ${Math.round(slowest)} ms, RSS ${Math.round(idle)} → ${Math.round(await peakRss())} MiB\n`,
  );
  expect(new Set(statuses)).toEqual(new Set([404, 503]));
  for (const answer of refused) {
    expect(answer).toMatch(/^retry-after: [1-9]\d*$/im);
    expect(answer).toMatch(/^connection: close$/im);
  }
  expect(made).toBeGreaterThan(0);
  expect(await peakRss()).toBeLessThan(mostRssMib);
  // And there is room again.
  expect(statusOf(await post(hostile, guess).answer)).toBe(404);
});

it('whoever sends a part and stops holds its room only until others need it', async () => {
  const trigger = await newTrigger();
  const stalled = Array.from({ length: 12 }, () => post(hostile, guess, 15 * mib));
  const refusedAtOnce = () => stalled.filter(({ socket }) => socket.bytesRead > 0).length;
  await until('the memory to be full', () => refusedAtOnce() >= 4);
  // A trigger with a large payload; a small one does not wait.
  await flagfall.trigger(trigger);
  const payload = Buffer.from(JSON.stringify({ token: trigger.token, ref: 'main', text: 'x'.repeat(10 * mib) }));
  const statuses: number[] = [];
  await until(
    'a large trigger to find room',
    async () => {
      statuses.push(statusOf(await post(payload, trigger).answer));
      return statuses.at(-1) === 201;
    },
    30_000,
  );
  expect(new Set(statuses.slice(0, -1))).toEqual(new Set([503]));
  expect(await peakRss()).toBeLessThan(mostRssMib);
});

it('a caller who goes away in the middle leaves nothing behind', async () => {
  for (let round = 0; round < 20; round++) {
    const { socket, answer } = post(hostile, guess, 12 * mib);
    await until('the most of it to be sent', () => socket.bytesWritten >= 12 * mib && socket.writableLength === 0);
    socket.destroy();
    await answer;
  }
  await until('room for a large body', async () => statusOf(await post(hostile, guess).answer) === 404);
});
