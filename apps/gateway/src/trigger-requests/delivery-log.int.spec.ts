import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import type { TriggerOutcome } from '#libs/contracts';
import { openDatabase, uuidv7 } from '#libs/persistence';
import { type ScratchDatabase, scratchDatabase } from '../../../../libs/persistence/src/testing/scratch-database.js';
import { gatewaySchema } from '../schema/index.js';
import { type DeliveryFilter, DeliveryLog } from './delivery-log.js';
import { Ledger, type TriggerRequest } from './ledger.js';

let scratch: ScratchDatabase;
let database: DataSource;
let ledger: Ledger;
let log: DeliveryLog;

beforeAll(async () => {
  scratch = await scratchDatabase('delivery_log');
  database = await openDatabase({ url: scratch.url }, { ...gatewaySchema, views: [] }, pino({ level: 'silent' }));
  ledger = new Ledger(database);
  log = new DeliveryLog(database);
});
afterAll(async () => {
  await database?.destroy();
  await scratch?.drop();
});

let projects = 0;
let clock = Date.now();

/** Records a request of a new project, or as told. */
async function record(change: Partial<TriggerRequest> = {}): Promise<TriggerRequest> {
  const request = {
    projectId: (projects += 1),
    source: 'trigger',
    actor: { id: 1, username: 'ada', name: 'Ada', email: null, state: 'active', admin: false, accessLevel: 40 },
    trigger: { id: 7, shortToken: 'abcd' },
    upstream: null,
    // Ids of one millisecond have no order.
    requestId: uuidv7((clock += 1)),
    ref: 'main',
    channel: 'api',
    variables: [],
    payload: '{"ref":"main","variables":{}}',
    receivedAt: new Date().toISOString(),
    ...change,
  } as TriggerRequest;
  await ledger.record(request);
  return request;
}

const refused = (requestId: string, more: object = {}): TriggerOutcome => ({
  requestId,
  refusal: { status: 400, body: { message: 'No' }, ...more },
});
const created = (requestId: string, id: number) => ({ requestId, pipeline: { id } }) as TriggerOutcome;
const list = (projectId: number, more: Partial<DeliveryFilter> = {}) =>
  log.list({ projectId, state: null, triggerId: null, before: null, limit: 100, ...more });
const ids = async (...filter: Parameters<typeof list>) => (await list(...filter)).map(({ id }) => id);

/** One request in each state, in this order. */
async function oneOfEach() {
  const { projectId, requestId: good } = await record();
  const [bad, stuck, open] = await Promise.all(
    [8, 7, 7].map((id) => record({ projectId, trigger: { id, shortToken: 'x' } })),
  );
  const named = { projectId, good, bad: bad!.requestId, stuck: stuck!.requestId, open: open!.requestId };
  await ledger.settle([created(named.good, 5), refused(named.bad), refused(named.stuck, { parked: true })]);
  return named;
}

it('lists the requests of a project, the newest first', async () => {
  const { projectId, good, bad, stuck, open } = await oneOfEach();
  await record();
  expect(await ids(projectId)).toEqual([open, stuck, bad, good]);
  expect(
    (await list(projectId)).map(({ state, status, pipelineId, refusal }) => [state, status, pipelineId, refusal]),
  ).toEqual([
    ['accepted', null, null, null],
    ['parked', 400, null, { message: 'No' }],
    ['rejected', 400, null, { message: 'No' }],
    ['created', 201, 5, null],
  ]);
});

it('narrows them down by state and trigger', async () => {
  const { projectId, good, bad, stuck, open } = await oneOfEach();
  expect(await ids(projectId, { state: 'created' })).toEqual([good]);
  expect(await ids(projectId, { state: 'rejected' })).toEqual([bad]);
  expect(await ids(projectId, { state: 'parked' })).toEqual([stuck]);
  expect(await ids(projectId, { state: 'accepted' })).toEqual([open]);
  expect(await ids(projectId, { triggerId: 7 })).toEqual([open, stuck, good]);
  expect(await ids(projectId, { triggerId: 8, state: 'created' })).toEqual([]);
});

it('goes on after any of them', async () => {
  const { projectId, good, bad, stuck, open } = await oneOfEach();
  expect(await ids(projectId, { limit: 2 })).toEqual([open, stuck]);
  expect(await ids(projectId, { limit: 2, before: stuck })).toEqual([bad, good]);
  expect(await ids(projectId, { before: good })).toEqual([]);
});

it('names callers as they were, whatever else the request holds', async () => {
  const half = '\ud800';
  const { projectId } = await record({
    variables: [['A', half]],
    payload: `{"note":"${half}"}`,
    inputs: { actor: { username: 'eve' } },
  });
  await record({
    projectId,
    actor: { id: 2, username: 'odd', name: 'O {dd' } as TriggerRequest['actor'],
    trigger: null,
  });
  await record({ projectId, payload: 'x'.repeat(3_000_000), trigger: null });
  const found = await list(projectId);
  expect(found.map(({ username, name, shortToken }) => [username, name, shortToken])).toEqual([
    ['ada', 'Ada', null],
    [null, null, null],
    ['ada', 'Ada', 'abcd'],
  ]);
});

it('shows one with everything that was sent', async () => {
  const request = await record({ variables: [['A', 'b']], headers: { 'user-agent': 'curl' } });
  expect(await log.find(request.projectId, request.requestId)).toMatchObject({
    id: request.requestId,
    state: 'accepted',
    username: 'ada',
    shortToken: 'abcd',
    request,
  });
  expect(await log.find(request.projectId + 1, request.requestId)).toBeNull();
  expect(await log.find(request.projectId, uuidv7())).toBeNull();
});

it('finds a few among very many without reading the others', async () => {
  const { projectId } = await oneOfEach();
  await database.query(
    `insert into gateway.trigger_requests (id, project_id, user_id, ref, channel, event, state, received_at, next_publish_at)
     select gen_random_uuid(), $1, 1, 'main', 'api', '{}', 'created', now(), now() from generate_series(1, 20000)`,
    [projectId + 1_000_000],
  );
  await database.query('analyze gateway.trigger_requests');
  const statements: [text: string, values: unknown[]][] = [];
  const watched = { query: async (text: string, values: unknown[]) => (statements.push([text, values]), []) };
  await new DeliveryLog(watched as unknown as DataSource).list({
    projectId,
    state: null,
    triggerId: null,
    before: null,
    limit: 20,
  });
  const [[text, values] = ['', []]] = statements;
  const plan = (await database.query(`explain (analyze, format json) ${text}`, values)) as object[];
  const read = [...JSON.stringify(plan).matchAll(/"Rows Removed by Filter": ?(\d+)/g)].map(([, rows]) => Number(rows));
  expect(JSON.stringify(plan)).toContain('trigger_requests_created');
  expect(Math.max(0, ...read)).toBeLessThan(50);
});
