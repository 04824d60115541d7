// needs: rabbitmq, postgresql
import { connect, type Socket } from 'node:net';
import pg from 'pg';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { mostHeld } from '../../../gateway/src/runners/held-requests.js';
import { type EventStream, openEventStream } from '../../../gateway/src/testing/event-stream.js';
import type { Answer } from '../testing/api.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

/**
 * Bounds of docs/operating.md, "What is bounded", that are not shown elsewhere, on an installation of processes of their own: beyond each the caller is
 * told in time, nothing is lost, and when it is over everything works as before.
 */
const flagfall = startsFlagfall({
  name: 'bounds',
  healthPorts: true,
  environment: { REQUEST_HOLD_MS: '120000' },
});
const files = { '.gitlab-ci.yml': 'build: {script: [make]}' };
let project: Project;
let trigger: Trigger;

beforeAll(async () => {
  project = await flagfall.newProject({ files });
  trigger = await flagfall.newTrigger(project);
});

/** The value of a metric of the gateway; undefined where there is none. */
async function metric(series: string): Promise<number | undefined> {
  const answer = await fetch(`${flagfall.installation.healthUrls['gateway']}/-/metrics`);
  const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

const call = (ref = 'main'): Promise<Answer> =>
  flagfall.call({
    method: 'POST',
    path: `/projects/${project.id}/trigger/pipeline`,
    form: [
      ['token', trigger.token],
      ['ref', ref],
    ],
  });

const pipelinesOf = async (): Promise<number> => (await project.pipelines()).length;

test('connections to the database: who waits too long for one gets 503, and nothing that was accepted is lost', async () => {
  const holder = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
  await holder.connect();
  const state = (name: string) => metric(`flagfall_database_connections{schema="gateway",state="${name}"}`);
  const before = await pipelinesOf();
  const list = () => flagfall.root({ path: `/projects/${project.id}/trigger/requests` });
  let answers: Answer[];
  let triggered: Answer;
  try {
    await holder.query('begin');
    await holder.query('lock table gateway.trigger_requests in access exclusive mode');
    const listings = Array.from({ length: 20 }, () =>
      flagfall.call({ path: `/projects/${project.id}/trigger/requests`, token: flagfall.rootToken }),
    );
    const triggering = call();
    await until('all connections to be used', async () => (await state('used')) === 10);
    expect(await state('waiting')).toBeGreaterThan(0);
    const started = Date.now();
    answers = await Promise.all(listings);
    triggered = await triggering;
    // Five seconds for a connection, ten for a statement.
    expect(Date.now() - started).toBeLessThan(20_000);
  } finally {
    await holder.query('rollback');
    await holder.end();
  }
  for (const { status, headers, body } of [...answers, triggered]) {
    expect({ status, body }).toMatchObject({ status: 503 });
    expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  }
  await until('calls to be served again', async () =>
    list().then(
      () => true,
      () => false,
    ),
  );
  await until('the connections to be free again', async () => (await state('waiting')) === 0);
  expect((await call()).status).toBe(201);
  // Of the one that was told that nobody knows there is one at most.
  await until('everything to be settled', async () => (await metric('flagfall_unsettled_triggers')) === 0);
  expect((await pipelinesOf()) - before).toBeGreaterThanOrEqual(1);
  expect((await pipelinesOf()) - before).toBeLessThanOrEqual(2);
});

test('requests of runners that wait: one more is answered at once, and asks again', async () => {
  const runner = await flagfall.newRunner({ tag_list: ['none'], run_untagged: false });
  const body = JSON.stringify({ token: runner.token, system_id: 's_0123456789ab', info: {} });
  const request = `POST /api/v4/jobs/request HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const [port = 0] = flagfall.installation.ports;
  const sockets: Socket[] = [];
  try {
    while (sockets.length < mostHeld) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(request);
      sockets.push(socket);
      // As many at once as a fleet has that comes back.
      if (sockets.length % 250 === 0)
        await until(
          'them to wait',
          async () => (await metric('flagfall_held_job_requests')) === sockets.length,
          60_000,
        );
    }
    const started = Date.now();
    expect((await runner.request()).status).toBe(204);
    expect(Date.now() - started).toBeLessThan(30_000);
    expect(await metric('flagfall_held_job_requests')).toBe(mostHeld);
    // Meanwhile others are served.
    expect((await call()).status).toBe(201);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  await until('them to be gone', async () => (await metric('flagfall_held_job_requests')) === 0, 60_000);
});

test('streams of live pages of one user: one more is told when to come back, and has a place when another goes', async () => {
  const ada = await flagfall.newUser('ada');
  await flagfall.join(project, ada, 20);
  const streams: EventStream[] = [];
  const open = async (): Promise<EventStream> => {
    const stream = await openEventStream(`${flagfall.url}/-/projects/${project.id}/live`, {
      'PRIVATE-TOKEN': ada.token,
    });
    streams.push(stream);
    return stream;
  };
  try {
    for (let page = 1; page <= 20; page++) expect((await open()).status).toBe(200);
    const { status, headers } = await open();
    expect([status, headers.get('retry-after')]).toEqual([429, '10']);
    expect(await metric('flagfall_rate_limit_refusals_total{limit="other"}')).toBe(1);
    streams[0]?.close();
    await until('a place', async () => (await metric('flagfall_live_streams')) === 19);
    expect((await open()).status).toBe(200);
  } finally {
    for (const stream of streams) stream.close();
  }
});

test('variables of a project: one more is refused, and those that are there are changed as before', async () => {
  const full = await flagfall.newProject({});
  const json = { key: 'FIRST', value: 'a' };
  await full.post('/variables', json);
  // Sealed for another name, which nobody reads here.
  await sql(
    `insert into pipelines.variables (project_id, key, value, variable_type, protected, masked, hidden, raw, environment_scope)
     select project_id, 'V' || number, value, variable_type, protected, masked, hidden, raw, environment_scope
     from pipelines.variables, generate_series(2, 8000) as number where project_id = $1`,
    [full.id],
  );
  const path = `/projects/${full.id}/variables`;
  const send = { method: 'POST', path, token: flagfall.rootToken };
  const refused = await flagfall.call({ ...send, json: { key: 'LAST', value: 'b' } });
  expect(refused.status).toBe(400);
  expect(JSON.stringify(refused.body)).toContain('8000');
  await flagfall.root({ method: 'PUT', path: `${path}/FIRST`, json: { value: 'c' } });
  expect((await flagfall.root({ path: `${path}/FIRST` })).value).toBe('c');
  await flagfall.root({ method: 'DELETE', path: `${path}/FIRST` });
  expect((await flagfall.call({ ...send, json: { key: 'LAST', value: 'b' } })).status).toBe(201);
});

describe('a configuration', () => {
  it.each<[string, string, string]>([
    [
      'whose file is too large',
      `# ${'x'.repeat(2 * 1024 * 1024)}\nbuild: {script: [make]}`,
      'The parsed YAML is too big',
    ],
    [
      'with too many jobs',
      Array.from({ length: 5_001 }, (_, index) => `j${index}: {script: a}`).join('\n'),
      'The number of jobs has exceeded the limit of 5000',
    ],
    [
      'with a job that needs too many',
      [
        ...Array.from({ length: 51 }, (_, index) => `j${index}: {script: a, stage: build}`),
        `last: {script: a, stage: test, needs: [${Array.from({ length: 51 }, (_, index) => `j${index}`).join(', ')}]}`,
      ].join('\n'),
      'one job can only need 50 others',
    ],
  ])('%s: the pipeline fails with the reason, and the next push is well', async (name, text, reason) => {
    const heavy = await flagfall.newProject({ files: { '.gitlab-ci.yml': text } });
    const { token } = await flagfall.newTrigger(heavy);
    const { status, body } = await flagfall.call({
      method: 'POST',
      path: `/projects/${heavy.id}/trigger/pipeline`,
      json: { token, ref: 'main' },
    });
    expect([status, body]).toEqual([422, { message: { base: [expect.stringContaining(reason)] } }]);
    const [failed] = await heavy.pipelines();
    expect(await heavy.pipeline(failed.id)).toMatchObject({
      status: 'failed',
      yaml_errors: expect.stringContaining(reason),
    });
    await heavy.repository.commit(files, `Mends what was ${name}`);
    expect((await heavy.trigger()).status).not.toBe('failed');
  });
});

test.each([4_096, 4_097, 500_000])('a ref of %i characters is refused as one that is not there', async (length) => {
  const { status, body } = await call('x'.repeat(length));
  expect([status, body]).toEqual([400, { message: { base: ['Reference not found'] } }]);
});
