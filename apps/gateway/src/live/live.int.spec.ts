import { connect } from 'node:net';
import type { DataSource } from 'typeorm';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type EventStream, openEventStream } from '../testing/event-stream.js';
import { addProject, addToken, startTestGateway, type TestGateway } from '../testing/test-gateway.js';
import { LiveController } from './live.controller.js';
import { type Change, LiveLog } from './live-log.js';
import { LiveStreams } from './live-streams.js';

const limits = { streams: 5, perViewer: 3, anonymous: 2, waitingBytes: 1_048_576, trustedMs: 0 };

let gateway: TestGateway;
let database: DataSource;
let streams: LiveStreams;
let opened: EventStream[];

/** A gateway takes a second to start, so that the tests share one; each has streams of its own. */
const current = {
  admit: (userId: number | null) => streams.admit(userId),
  open: (...given: Parameters<LiveStreams['open']>) => streams.open(...given),
};

beforeAll(async () => {
  gateway = await startTestGateway([LiveController], 'info', {}, [{ provide: LiveStreams, useValue: current }]);
  ({ database } = gateway);
});
afterAll(() => gateway.close());
beforeEach(async () => {
  streams = new LiveStreams(new LiveLog('here', { events: 1_000, things: 1_000 }), limits, 50);
  opened = [];
  await database.query('truncate tokens.access_credentials, pipelines.project_addresses');
  await addProject(database, { id: 1, path: 'group/app' });
  await addProject(database, { id: 2, path: 'group/open', visibility: 'public' });
  await addToken(database, { token: 'ada', userId: 1, memberships: { 1: 20 } });
  await addToken(database, { token: 'grace', userId: 2, memberships: { 1: 20 } });
  await addToken(database, { token: 'outsider', userId: 3 });
});
afterEach(() => {
  for (const stream of opened) stream.close();
  streams.stop();
});

async function watch(project: string | number, token?: string, headers: Record<string, string> = {}) {
  const url = `${gateway.url}/-/projects/${project}/live`;
  const stream = await openEventStream(url, { ...(token && { 'PRIVATE-TOKEN': token }), ...headers });
  opened.push(stream);
  return stream;
}

const pipeline = (id: number, version = 1, projectId = 1): Change => ({
  projectId,
  kind: 'pipeline',
  id,
  status: 'running',
  version,
});

it('tells what changes in the project, and nothing of others', async () => {
  const app = await watch('group%2Fapp', 'ada');
  const open = await watch(2);
  expect([app.status, app.headers.get('content-type'), app.headers.get('cache-control')]).toEqual([
    200,
    'text/event-stream',
    'no-store, no-transform',
  ]);
  expect(app.headers.get('x-content-type-options')).toBe('nosniff');
  expect(app.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  streams.tell([
    pipeline(7),
    pipeline(9, 1, 2),
    { projectId: 1, kind: 'job', id: 8, pipelineId: 7, status: 'pending', version: 2 },
  ]);
  expect(await app.reads('"id":8')).toMatch(
    /^retry: 2000\nid: here-0\n\n(?::\nid: here-0\n\n)*id: here-1\nevent: pipeline\ndata: {"id":7,"status":"running"}\n\nid: here-3\nevent: job\ndata: {"id":8,"pipeline_id":7,"status":"pending"}\n\n/,
  );
  await open.reads('"id":9');
  expect(open.text).not.toMatch(/"id":[78]/);
});

it('gives signs of life that move the place to come back to', async () => {
  const stream = await watch(1, 'ada');
  streams.tell([pipeline(9, 1, 2)]);
  await stream.reads(':\nid: here-1\n\n');
  expect(stream.text).not.toContain('data');
});

describe('coming back', () => {
  it('goes on where the stream broke', async () => {
    const before = await watch(1, 'ada');
    streams.tell([pipeline(7)]);
    await before.reads('"id":7');
    before.close();
    streams.tell([pipeline(8), pipeline(9, 1, 2), pipeline(10)]);
    const after = await watch(1, 'ada', { 'Last-Event-ID': before.place });
    await after.reads('"id":10');
    expect(after.text).toContain('"id":8');
    expect(after.text).not.toMatch(/"id":[79]|reset/);
  });

  it.each(['elsewhere-3', 'here-999', 'nonsense'])('from %s has to read again', async (place) => {
    const stream = await watch(1, 'ada', { 'Last-Event-ID': place });
    expect(await stream.reads('reset')).toMatch(/^retry: 2000\nevent: reset\ndata: {}\nid: here-0\n\n/);
  });

  it('and those who stayed have to read again when messages may have been lost', async () => {
    const stream = await watch(1, 'ada');
    streams.tell([pipeline(7)]);
    await stream.reads('"id":7');
    const { place } = stream;
    streams.missed();
    const back = await watch(1, 'ada', { 'Last-Event-ID': place });
    expect(stream.text).not.toContain('reset');
    await Promise.all([stream.reads('event: reset'), back.reads('event: reset')]);
    streams.tell([pipeline(8)]);
    await stream.reads('"id":8');
  });
});

describe('who may watch', () => {
  it.each([
    [1, 'outsider', 404],
    [1, undefined, 404],
    [1, 'unknown', 401],
    [2, undefined, 200],
    [3, 'ada', 404],
  ])('project %d, with %s: %d', async (project, token, status) => {
    expect((await watch(project, token)).status).toBe(status);
  });

  it('nobody is told anything once they may not watch, even before the next sign of life', async () => {
    streams = new LiveStreams(new LiveLog('quiet', { events: 1_000, things: 1_000 }), limits, 3_600_000);
    const stream = await watch(1, 'ada');
    streams.tell([pipeline(7)]);
    await stream.reads('"id":7');
    await database.query('update tokens.access_credentials set revoked = true where user_id = 1');
    streams.tell([pipeline(8)]);
    await until('the end of the stream', () => stream.ended);
    expect(stream.text).not.toContain('"id":8');
  });

  it('HEAD begins no stream', async () => {
    const answer = await fetch(`${gateway.url}/-/projects/2/live`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    await answer.text();
  });

  it.each([
    ['the token is revoked', `update tokens.access_credentials set revoked = true where user_id = 1`],
    ['the user is blocked', `update tokens.access_credentials set state = 'blocked' where user_id = 1`],
    ['the user is no member any more', `update tokens.access_credentials set memberships = '{}' where user_id = 1`],
    ['the project is deleted', `update pipelines.project_addresses set state = 'deleting' where project_id = 1`],
    ['pipelines are switched off', `update pipelines.project_addresses set builds_access_level = 'disabled'`],
  ])('a stream ends when %s', async (_, statement) => {
    const stream = await watch(1, 'ada');
    const other = await watch(2, 'ada');
    await stream.reads(':\n');
    await database.query(statement);
    await until('the end of the stream', () => stream.ended);
    expect(other.status).toBe(200);
  });
});

describe('bounds', () => {
  it('of one viewer, of those who are not signed in, and of all', async () => {
    for (let each = 0; each < 3; each++) expect((await watch(1, 'ada')).status).toBe(200);
    const tooMany = await watch(1, 'ada');
    expect([tooMany.status, tooMany.headers.get('retry-after')]).toEqual([429, '10']);
    for (let each = 0; each < 2; each++) expect((await watch(2)).status).toBe(200);
    const full = await watch(1, 'grace');
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '10']);
    opened[0]?.close();
    await until('the place to be free', () => isAdmitted(2));
    expect((await watch(2)).status).toBe(429);
    expect((await watch(1, 'grace')).status).toBe(200);
  });

  it('a reader that does not read is dropped', async () => {
    for (let each = 0; each < 2; each++) await watch(1, 'ada');
    const { port } = gateway;
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /-/projects/1/live HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: ada\r\n\r\n');
    await until('the stream to be there', () => !isAdmitted(1));
    socket.pause();
    let version = 0;
    const changes = () => Array.from({ length: 1_000 }, (_, id) => pipeline(id, version));
    await until('the reader to be dropped', () => {
      version += 1;
      streams.tell(changes());
      return isAdmitted(1);
    });
    socket.destroy();
    await opened[0]?.reads(`"id":999`);
    expect(opened.map(({ ended }) => ended)).toEqual([false, false]);
  });

  it('stopping ends all, and begins none', async () => {
    const stream = await watch(1, 'ada');
    streams.stop();
    await until('the end of the stream', () => stream.ended);
    expect((await watch(1, 'ada')).status).toBe(503);
  });
});

function isAdmitted(userId: number): boolean {
  try {
    streams.admit(userId);
    return true;
  } catch {
    return false;
  }
}
