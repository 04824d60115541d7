// needs: rabbitmq, postgresql
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type EventStream, openEventStream } from '../../../gateway/src/testing/event-stream.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { root } from '../testing/installation.js';
import type { Project } from '../testing/project.js';

/** What an operator's Prometheus sees of an installation of processes of their own. */
const flagfall = startsFlagfall({
  name: 'metrics',
  healthPorts: true,
  environment: { TRIGGER_LIMIT_PER_TOKEN: '10', REQUEST_HOLD_MS: '20000' },
});
let project: Project;
let trigger: Trigger;

beforeAll(async () => {
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}' } });
  trigger = await flagfall.newTrigger(project);
});

const services = ['gateway', 'token-service', 'pipeline-service'] as const;
type Service = (typeof services)[number];

async function metricsOf(service: Service): Promise<string> {
  const answer = await fetch(`${flagfall.installation.healthUrls[service]}/-/metrics`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  return answer.text();
}

/** The value of one series, written as Prometheus writes it; undefined where there is none. */
async function value(service: Service, series: string): Promise<number | undefined> {
  const line = (await metricsOf(service)).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const becomes = (service: Service, series: string, expected: number): Promise<unknown> =>
  until(`${series} to be ${expected}`, async () => (await value(service, series)) === expected);

const call = (token = trigger.token, headers: Record<string, string> = {}, ref = 'main') =>
  flagfall.call({
    method: 'POST',
    path: `/projects/${project.id}/trigger/pipeline`,
    form: [
      ['token', token],
      ['ref', ref],
    ],
    headers,
  });

test('each service tells it where its operator said, and strangers are told nothing where callers are', async () => {
  for (const service of services) expect(await metricsOf(service)).toContain('flagfall_build_info{version="0.1.0"');
  const ada = await flagfall.newUser('ada');
  const told = async (token?: string, headers: Record<string, string> = {}) => {
    const { status, body } = await flagfall.call({ path: '//-/metrics', token, headers });
    return [status, String(body).includes('flagfall_')];
  };
  const proxied = { 'X-Forwarded-For': '192.0.2.1' };
  expect(await told(undefined, proxied)).toEqual([401, false]);
  expect(await told(ada.token, proxied)).toEqual([403, false]);
  expect(await told(flagfall.rootToken, proxied)).toEqual([200, true]);
  expect(await told()).toEqual([200, true]);
});

test('the gateway’s health port says what its own readiness says', async () => {
  const { healthUrls } = flagfall.installation;
  for (const path of ['/-/readiness', '/-/liveness']) {
    const [own, callers] = await Promise.all([
      fetch(`${healthUrls['gateway']}${path}`),
      fetch(`${flagfall.url}${path}`),
    ]);
    expect([own.status, await own.json()]).toEqual([callers.status, await callers.json()]);
  }
});

test('calls of the trigger endpoint by outcome, with the time they took', async () => {
  const count = async (outcome: string): Promise<number> =>
    (await value('gateway', `flagfall_trigger_duration_seconds_count{outcome="${outcome}"}`)) ?? 0;
  const outcomes = ['created', 'accepted', 'refused', 'limited', 'failed'];
  const counts = () => Promise.all(outcomes.map(count));
  // Of a minute that does not end before the calls do.
  await until('a minute that lasts', () => (Date.now() / 1000) % 60 < 45);
  const before = await counts();
  const { token } = await flagfall.newTrigger(project);
  const answers = [await call(token), await call(token, { Prefer: 'respond-async' }), await call(token, {}, 'nowhere')];
  for (let more = 0; more < 8; more++) answers.push(await call(token));
  expect(answers.map(({ status }) => status)).toEqual([201, 202, 400, 201, 201, 201, 201, 201, 201, 201, 429]);
  const after = await until('all answers to be counted', async () => {
    const now = await counts();
    return now[3]! > before[3]! && now;
  });
  expect(after.map((now, index) => now - before[index]!)).toEqual([8, 1, 1, 1, 0]);
  expect(await value('gateway', 'flagfall_rate_limit_refusals_total{limit="pipeline_triggers_per_token"}')).toBe(1);
  expect(await value('gateway', 'flagfall_http_answers_total{status="429"}')).toBe(1);
  const text = await metricsOf('gateway');
  expect(text).toMatch(/^flagfall_trigger_duration_seconds_bucket\{le="10",outcome="created"\} [1-9]/m);
});

test('pages that are open, and runners that wait', async () => {
  let stream: EventStream | undefined;
  const gone = new AbortController();
  try {
    stream = await openEventStream(`${flagfall.url}/-/projects/${project.id}/live`, {
      'PRIVATE-TOKEN': flagfall.rootToken,
    });
    await becomes('gateway', 'flagfall_live_streams', 1);
    const runner = await flagfall.newRunner({ tag_list: ['none'], run_untagged: false });
    const request = runner.request(gone.signal).catch(() => undefined);
    await becomes('gateway', 'flagfall_held_job_requests', 1);
    gone.abort();
    await request;
  } finally {
    stream?.close();
    gone.abort();
  }
  await becomes('gateway', 'flagfall_live_streams', 0);
  await becomes('gateway', 'flagfall_held_job_requests', 0);
});

test('what waits while the pipeline service stands still, and that it is worked off', async () => {
  const [service] = flagfall.installation.pipelineServices;
  const { token } = await flagfall.newTrigger(project);
  service?.freeze();
  let waits: Promise<{ status: number }>;
  try {
    await call(token, { Prefer: 'respond-async' });
    waits = call(token);
    await becomes('gateway', 'flagfall_waiting_triggers', 1);
    expect(await value('gateway', 'flagfall_unsettled_triggers')).toBe(2);
    expect(await value('gateway', 'flagfall_unsettled_triggers_age_seconds')).toBeGreaterThan(0);
  } finally {
    service?.thaw();
  }
  expect((await waits).status).toBe(201);
  await becomes('gateway', 'flagfall_waiting_triggers', 0);
  await becomes('gateway', 'flagfall_unsettled_triggers', 0);
  expect(await value('gateway', 'flagfall_unsettled_triggers_age_seconds')).toBe(0);
});

test('jobs that wait for a runner, and those that are with one', async () => {
  const other = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'deploy: {script: [make], tags: [own]}' } });
  const runner = await flagfall.newRunner({ project: other, tag_list: ['own'], run_untagged: false });
  const queued = (await value('pipeline-service', 'flagfall_jobs{state="queued"}')) ?? NaN;
  await other.trigger();
  await becomes('pipeline-service', 'flagfall_jobs{state="queued"}', queued + 1);
  expect(await value('pipeline-service', 'flagfall_jobs_queued_age_seconds')).toBeGreaterThan(0);
  const job = await runner.start();
  await becomes('pipeline-service', 'flagfall_jobs{state="queued"}', queued);
  expect(await value('pipeline-service', 'flagfall_jobs{state="running"}')).toBe(1);
  await runner.end(job, 'success');
  await becomes('pipeline-service', 'flagfall_jobs{state="running"}', 0);
});

test('connections to the database, within their bound', async () => {
  for (const [service, schema] of [
    ['gateway', 'gateway'],
    ['token-service', 'tokens'],
    ['pipeline-service', 'pipelines'],
  ] as const) {
    const state = (name: string) => value(service, `flagfall_database_connections{schema="${schema}",state="${name}"}`);
    const [used = NaN, idle = NaN, waiting] = await Promise.all(['used', 'idle', 'waiting'].map(state));
    expect(used + idle).toBeGreaterThanOrEqual(1);
    expect(used + idle).toBeLessThanOrEqual(10);
    expect(waiting).toBe(0);
    expect(await value(service, `flagfall_database_connections_limit{schema="${schema}"}`)).toBe(10);
  }
});

test('messages that were handled, and one that is parked', async () => {
  const queue = 'pipeline-service.pipeline.triggered.v1';
  const parked = `flagfall_queue_messages{queue="${queue}",state="parked"}`;
  expect(await value('pipeline-service', parked)).toBe(0);
  expect(await value('pipeline-service', `flagfall_messages_total{queue="${queue}",result="done"}`)).toBeGreaterThan(0);
  await withChannel(async (channel) => {
    channel.sendToQueue(`${flagfall.installation.namespace}.${queue}`, Buffer.from('no message'));
  });
  await becomes('pipeline-service', parked, 1);
  expect(await value('pipeline-service', `flagfall_messages_total{queue="${queue}",result="parked"}`)).toBe(1);
  expect(await value('pipeline-service', `flagfall_queue_messages{queue="${queue}",state="waiting"}`)).toBe(0);
  expect(await value('pipeline-service', 'flagfall_broker_connected')).toBe(1);
  await becomes('pipeline-service', 'flagfall_outbox_rows{schema="pipelines"}', 0);
});

test('every metric is in the operator’s table, and every one of the table is there', async () => {
  const texts = await Promise.all(services.map(metricsOf));
  const told = new Set(texts.join('\n').match(/(?<=^# TYPE )flagfall_\w+/gm));
  const operating = await readFile(join(root, 'docs/operating.md'), 'utf8');
  expect([...told].sort()).toEqual([...new Set(operating.match(/\bflagfall_[a-z_]+(?=[`{])/g))].sort());
});

test('nothing tells of secrets, projects or people', async () => {
  const text = (await Promise.all(services.map(metricsOf))).join('\n');
  for (const secret of [trigger.token, flagfall.rootToken, project.path, 'ada']) expect(text).not.toContain(secret);
  const labels = new Set(
    [...text.matchAll(/^flagfall_\w+\{(.*)\}/gm)].flatMap(([, all = '']) => all.match(/\w+(?==")/g)),
  );
  expect(labels).toEqual(
    new Set(['le', 'limit', 'node', 'outcome', 'queue', 'result', 'schema', 'state', 'status', 'version']),
  );
});
