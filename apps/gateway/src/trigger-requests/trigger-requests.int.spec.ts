// needs: rabbitmq
import { jest } from '@jest/globals';
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { PipelineTriggered, type TriggerOutcome } from '#libs/contracts';
import { type Message } from '#libs/messaging';
import { openDatabase, uuidv7 } from '#libs/persistence';
import { withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { onRabbit, type RabbitInstallation } from '../../../../libs/messaging/src/testing/installation.js';
import { onEvent } from '../../../../libs/messaging/src/testing/service.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type ScratchDatabase, scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { gatewaySchema } from '../schema/index.js';
import { idempotencyKey } from './idempotency-key.js';
import { Ledger, type TriggerRequest } from './ledger.js';
import { statusTokenHash, TriggerRequests } from './trigger-requests.js';

const log = pino({ level: 'silent' });
const limits = { timeoutMs: 5_000, callers: 1_000 };

let scratch: ScratchDatabase;
let database: DataSource;
let ledger: Ledger;
let broker: RabbitInstallation;
/** What the pipeline service heard, by request. */
let heard: string[];
/** Whether it answers. */
let answers: boolean;
let replicas: TriggerRequests[];

beforeAll(async () => {
  scratch = await scratchDatabase('ledger');
  database = await openDatabase({ url: scratch.url, poolSize: 10 }, { ...gatewaySchema, views: [] }, log);
  ledger = new Ledger(database);
  broker = await onRabbit();
});
afterAll(async () => {
  await broker?.remove();
  await database?.destroy();
  await scratch?.drop();
});

beforeEach(async () => {
  heard = [];
  answers = true;
  replicas = await Promise.all(
    [1, 2].map(async () => new TriggerRequests(ledger, await broker.connect(), limits, log)),
  );
});
afterEach(() => Promise.all(replicas.map((replica) => replica.stop())));

const [gateway, other] = [() => replicas[0] as TriggerRequests, () => replicas[1] as TriggerRequests];

/** Tells every replica; the one that waits is among them. */
async function settle(requestId: string): Promise<void> {
  const outcome: TriggerOutcome = { requestId, refusal: { status: 400, body: { message: requestId } } };
  for (const replica of replicas) await replica.settle([outcome]);
}

const startPipelineService = () =>
  broker.start('pipeline-service', [
    onEvent(PipelineTriggered.type, async ({ data }: Message<PipelineTriggered>) => {
      heard.push(data.requestId);
      if (answers) await settle(data.requestId);
    }),
  ]);

function newRequest(change: Partial<TriggerRequest> = {}): TriggerRequest {
  return {
    requestId: uuidv7(),
    projectId: 1,
    ref: 'main',
    source: 'trigger',
    channel: 'api',
    trigger: { id: 7, shortToken: 'abcd' },
    upstream: null,
    actor: { id: 1, username: 'ada', name: 'Ada', email: null, state: 'active', admin: false, accessLevel: 40 },
    variables: [],
    payload: '{"ref":"main","variables":{}}',
    receivedAt: new Date().toISOString(),
    ...change,
  } as TriggerRequest;
}

function call(replica: TriggerRequests, key: string, change: Partial<TriggerRequest> = {}, respondAsync = false) {
  const request = newRequest(change);
  return replica.accept(request, respondAsync, idempotencyKey(key, request, 'a trigger token'));
}

it('headers of a call are recorded, and said to nobody', async () => {
  let said: object | undefined;
  const service = await broker.start('pipeline-service', [
    onEvent(PipelineTriggered.type, async ({ data }: Message<PipelineTriggered>) => {
      said = data;
      await settle(data.requestId);
    }),
  ]);
  const request = newRequest({ headers: { 'user-agent': 'curl' } });
  await gateway().accept(request, false);
  const { headers, ...rest } = request;
  expect(said).toEqual({ ...rest, replyTo: expect.any(String) });
  const [row] = await database.query('select event from gateway.trigger_requests where id = $1', [request.requestId]);
  expect(JSON.parse(row.event).headers).toEqual(headers);
  await service.stop();
});

describe('calls with an idempotency key', () => {
  it('fifty at once, at two replicas, are one request with one answer', async () => {
    const service = await startPipelineService();
    const told = await Promise.all(
      Array.from({ length: 50 }, (_, index) => call(index % 2 ? gateway() : other(), 'fifty')),
    );
    expect(heard).toHaveLength(1);
    const [requestId = ''] = heard;
    const outcome = { requestId, refusal: { status: 400, body: { message: requestId } } };
    expect(told.filter((answer) => answer.replayed)).toHaveLength(49);
    for (const answer of told) expect(answer).toMatchObject({ outcome });
    await service.stop();
  }, 30_000);

  it('get the same answer later, too, for a day', async () => {
    const service = await startPipelineService();
    const first = await call(gateway(), 'later');
    expect(await call(other(), 'later')).toEqual({ ...first, replayed: true });
    await database.query(`update gateway.idempotency_keys set created_at = created_at - interval '25 hours'`);
    const next = await call(gateway(), 'later');
    expect(next).not.toHaveProperty('replayed');
    expect(heard).toHaveLength(2);
    await service.stop();
  });

  it('are refused for another request, and count for one trigger alone', async () => {
    const service = await startPipelineService();
    await call(gateway(), 'own');
    const refusal = { status: 422, body: { message: expect.stringContaining('Idempotency-Key') } };
    await expect(call(gateway(), 'own', { ref: 'other' })).rejects.toMatchObject(refusal);
    await expect(call(gateway(), 'own', { payload: '{}' })).rejects.toMatchObject(refusal);
    expect(await call(gateway(), 'own', { trigger: { id: 8, shortToken: 'efgh' } })).not.toHaveProperty('replayed');
    expect(heard).toHaveLength(2);
    await service.stop();
  });

  it('have one URL that tells the outcome, while there is none', async () => {
    answers = false;
    const service = await startPipelineService();
    const told = [await call(gateway(), 'urls', {}, true), await call(other(), 'urls', {}, true)];
    await until('the message', () => heard.length === 1);
    const [token = '', same] = told.map((answer) => ('statusToken' in answer ? answer.statusToken : ''));
    expect(same).toBe(token);
    const [requestId = ''] = heard;
    await settle(requestId);
    expect(await ledger.byStatusToken(statusTokenHash(token))).toMatchObject({ requestId, state: 'rejected' });
    await service.stop();
  });

  it('live as long as their request has no outcome, or was parked', async () => {
    answers = false;
    const service = await startPipelineService();
    const first = await call(gateway(), 'long', {}, true);
    const requestId = 'requestId' in first ? first.requestId : '';
    const later = async () => {
      await database.query(`update gateway.idempotency_keys set created_at = created_at - interval '25 hours'`);
      await ledger.purge(new Date());
      return call(other(), 'long', {}, true);
    };
    expect(await later()).toEqual({ ...first, replayed: true });
    const parked = { requestId, refusal: { status: 500, body: {}, parked: true } };
    await ledger.settle([parked]);
    expect(await later()).toEqual({ outcome: parked, replayed: true });
    await ledger.unpark([requestId]);
    await settle(requestId);
    expect(await later()).not.toHaveProperty('replayed');
    await until('its message', () => heard.length === 2);
    await service.stop();
  });

  it('count among the callers who wait, of whom there may be so many', async () => {
    answers = false;
    const service = await startPipelineService();
    const replica = new TriggerRequests(ledger, await broker.connect(), { ...limits, callers: 2 }, log);
    const waiting = [call(replica, 'crowd')];
    await until('the message', () => heard.length === 1);
    waiting.push(call(replica, 'crowd'));
    await until('two to wait', async () => 'statusToken' in (await call(replica, 'crowd', {}, false)));
    await replica.settle([{ requestId: heard[0] as string, refusal: { status: 400, body: {} } }]);
    for (const answer of waiting) expect(await answer).toHaveProperty('outcome');
    await replica.stop();
    await service.stop();
  });

  it('that wait for one another get its outcome as soon as it is there', async () => {
    answers = false;
    const service = await startPipelineService();
    const first = call(gateway(), 'waiting');
    await until('the message', () => heard.length === 1);
    const second = call(other(), 'waiting');
    await settle(heard[0] as string);
    expect(await second).toEqual({ ...(await first), replayed: true });
    await service.stop();
  });
});

describe('what is due', () => {
  let replica: TriggerRequests;
  let looks: () => number;
  let requestId: string;

  beforeEach(async () => {
    const request = newRequest();
    ({ requestId } = request);
    await ledger.record(request);
    await ledger.publishSoon([requestId]);
    const bus = await broker.connect();
    const asked = jest.spyOn(bus, 'backlog');
    looks = () => asked.mock.calls.length;
    replica = new TriggerRequests(ledger, bus, limits, log);
  });
  afterEach(() => replica.stop());

  const attempts = async () => {
    const [row] = (await database.query(
      'select publish_attempts as attempts from gateway.trigger_requests where id = $1',
      [requestId],
    )) as { attempts: number }[];
    return row?.attempts;
  };

  it('is not published while many messages wait', async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const service = await broker.start('pipeline-service', [onEvent(PipelineTriggered.type, () => finished)]);
    for (let count = 0; count < 101; count++) {
      const data = { ...newRequest(), replyTo: service.bus.instance };
      const time = data.receivedAt;
      await broker.bus.publish([{ id: uuidv7(), type: PipelineTriggered.type, source: '/gateway', time, data }]);
    }
    replica.start();
    await until('it to look three times', () => looks() >= 3);
    expect(await attempts()).toBe(0);
    finish();
    await until('it to publish', async () => (await attempts()) === 1);
    await service.stop();
  }, 30_000);

  it('is not published while nobody takes what waits', async () => {
    // The queue is there, its service is not.
    await (await startPipelineService()).stop();
    const queue = `${broker.namespace}.pipeline-service.${PipelineTriggered.type}`;
    await withChannel(async (channel) => channel.sendToQueue(queue, Buffer.from('[]')));
    replica.start();
    await until('it to look three times', () => looks() >= 3);
    expect(await attempts()).toBe(0);
    const service = await startPipelineService();
    await until('it to publish', async () => (await attempts()) === 1);
    await service.stop();
  }, 30_000);
});

describe('the ledger', () => {
  const days = (count: number) => Date.now() - count * 86_400_000;
  const received = (count: number) =>
    newRequest({ requestId: uuidv7(days(count)), receivedAt: new Date(days(count)).toISOString() });
  const ids = async () =>
    ((await database.query('select id from gateway.trigger_requests order by id')) as { id: string }[]).map(
      ({ id }) => id,
    );

  beforeEach(() => database.query('delete from gateway.trigger_requests'));

  it('forgets what was settled long ago, with its URLs, and nothing else', async () => {
    const [settled, open, parked, recent] = [received(40), received(40), received(40), received(20)];
    for (const request of [settled, open, parked, recent]) await ledger.record(request);
    const refusal = { status: 400, body: {} };
    await ledger.settle([
      { requestId: settled.requestId, refusal },
      { requestId: recent.requestId, refusal },
      { requestId: parked.requestId, refusal: { ...refusal, status: 500, parked: true } },
    ]);
    await ledger.addStatusToken(settled.requestId, statusTokenHash('x'));
    // Received long ago, replayed since: its status URL tells the outcome for as long as any other.
    expect(await ledger.purge(new Date(days(30)))).toBe(0);
    await database.query(
      `update gateway.trigger_requests set settled_at = settled_at - interval '31 days' where id = $1`,
      [settled.requestId],
    );
    expect(await ledger.purge(new Date(days(30)))).toBe(1);
    expect(await ids()).toEqual([open.requestId, parked.requestId, recent.requestId].sort());
    expect(await ledger.byStatusToken(statusTokenHash('x'))).toBeNull();
    expect(await ledger.purge(new Date(days(30)))).toBe(0);
  });

  it('lets a parked request wait for its outcome again, and no other', async () => {
    const [parked, settled] = [newRequest(), newRequest()];
    for (const request of [parked, settled]) await ledger.record(request);
    await ledger.settle([
      { requestId: parked.requestId, refusal: { status: 500, body: {}, parked: true } },
      { requestId: settled.requestId, refusal: { status: 400, body: {} } },
    ]);
    expect(await ledger.unpark([settled.requestId])).toBe(0);
    expect(await ledger.unpark([settled.requestId, parked.requestId])).toBe(1);
    expect(await ledger.outcome(settled.requestId)).not.toBeNull();
    expect(await ledger.outcome(parked.requestId)).toBeNull();
    await ledger.settle([{ requestId: parked.requestId, refusal: { status: 404, body: { message: 'x' } } }]);
    expect(await ledger.outcome(parked.requestId)).toMatchObject({ refusal: { status: 404 } });
  });

  it('rejects what was parked and given up, and nothing else', async () => {
    const [parked, open] = [newRequest(), newRequest()];
    for (const request of [parked, open]) await ledger.record(request);
    await ledger.settle([{ requestId: parked.requestId, refusal: { status: 500, body: {}, parked: true } }]);
    await ledger.addStatusToken(parked.requestId, statusTokenHash('given up'));
    await ledger.giveUp([parked.requestId, open.requestId]);
    expect(await ledger.byStatusToken(statusTokenHash('given up'))).toEqual({
      requestId: parked.requestId,
      state: 'rejected',
      outcome: {
        requestId: parked.requestId,
        refusal: { status: 500, body: { message: expect.stringContaining('gave it up') } },
      },
    });
    expect(await ledger.outcome(open.requestId)).toBeNull();
    expect(await ledger.unpark([parked.requestId])).toBe(0);
  });
});
