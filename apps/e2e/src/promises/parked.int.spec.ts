// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GetMessage } from 'amqplib';
import pg from 'pg';
import { workQueues } from '#libs/contracts';
import { takeAll, withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { outcome } from './audit.js';
import { call } from './calls.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../../../bin/flagfall.mjs', import.meta.url));
const queue = 'pipeline-service.pipeline.triggered.v1';

const flagfall = startsFlagfall({ name: 'parked' });
let trigger: Trigger;

beforeAll(async () => {
  const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
  trigger = await flagfall.newTrigger(app);
});

/** As an operator types it. */
async function parked(...words: string[]): Promise<string> {
  const env = { FLAGFALL_URL: flagfall.url, ROOT_TOKEN: flagfall.rootToken };
  return (await run(process.execPath, [program, 'parked', ...words], { env })).stdout;
}

interface ParkedTrigger {
  id: string;
  statusUrl: string;
}

async function parkedTrigger(): Promise<ParkedTrigger> {
  const [one] = await parkedTriggers(1);
  return one as ParkedTrigger;
}

/** Triggers whose message, one for all of them, has been parked, as it is when every attempt to handle it failed. */
async function parkedTriggers(count: number): Promise<ParkedTrigger[]> {
  const { installation } = flagfall;
  const [service] = installation.pipelineServices;
  await service?.kill();
  const triggers: ParkedTrigger[] = [];
  for (let made = 0; made < count; made++) {
    const { body } = await call(flagfall.url, trigger, { Prefer: 'respond-async' });
    triggers.push({ id: body.request_id, statusUrl: body.status_url });
  }
  const messages: GetMessage[] = [];
  const name = `${installation.namespace}.${queue}`;
  await until('the messages', async () => {
    messages.push(...(await takeAll(name)));
    return messages.length === count;
  });
  await park(triggers[0]!.id, messages);
  await query(
    `update gateway.trigger_requests set state = 'parked', status = 500, settled_at = now(),
       outcome = json_build_object('requestId', id, 'refusal', json_build_object('status', 500, 'body', json_build_object('message', '500 Internal Server Error'), 'parked', true))
     where id = any($1)`,
    [triggers.map(({ id }) => id)],
  );
  await service?.start();
  return triggers;
}

/** Several as one, as the gateway publishes those that come at once. */
async function park(id: string, messages: GetMessage[]): Promise<void> {
  const headers = { 'parked-id': id, 'parked-reason': 'it failed too often' };
  const [first] = messages as [GetMessage];
  const { installation } = first.properties.headers as Record<string, string>;
  const parkedQueue = `${flagfall.installation.namespace}.${queue}.parked`;
  await withChannel(async (channel) => {
    if (messages.length === 1)
      return channel.sendToQueue(parkedQueue, first.content, {
        contentType: first.properties.contentType as string,
        persistent: true,
        headers: { ...first.properties.headers, ...headers },
      });
    const events = messages.map(({ content, properties }) => ({
      ...attributesOf(properties.headers as Record<string, string>),
      data: JSON.parse(content.toString()) as unknown,
    }));
    return channel.sendToQueue(parkedQueue, Buffer.from(JSON.stringify(events)), {
      contentType: 'application/cloudevents-batch+json',
      persistent: true,
      headers: { installation, ...headers },
    });
  });
}

function attributesOf(headers: Record<string, string>): object {
  const prefix = 'cloudEvents:';
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

async function query(statement: string, values: unknown[]): Promise<void> {
  const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
  await database.connect();
  await database.query(statement, values);
  await database.end();
}

it('every queue that a service works off is known to the command', () => {
  const handled = flagfall.programs.flatMap(({ output }) =>
    [...output.matchAll(/"msg":"([\w-]+) handles ([\w.-]+)( \([^"]*fanOut true[^"]*\))?/g)]
      .filter(([, , , fanOut]) => fanOut === undefined)
      .map(([, service, type]) => `${service}.${type}`),
  );
  expect([...new Set(handled)].sort()).toEqual([...workQueues].sort());
});

it('nothing is parked at first', async () => {
  expect(await parked('list')).toBe('Nothing is parked.\n');
});

it('a parked trigger is listed, shown without what its caller sent, and runs when it is replayed', async () => {
  const { id, statusUrl } = await parkedTrigger();
  expect((await outcome(flagfall, statusUrl)).status).toBe('rejected');
  expect(await parked('list')).toMatch(new RegExp(`^${id}  \\S+  ${queue}  it failed too often\n$`));
  const shown = JSON.parse(await parked('show', id));
  expect(shown).toMatchObject({ id, queue, events: [{ id, data: { requestId: id, ref: 'main' } }] });
  expect(JSON.stringify(shown)).not.toMatch(/NUMBER|payload|variables/);

  expect(await parked('replay', id)).toContain('is handled again');
  const told = await until('the outcome', async () => {
    const now = await outcome(flagfall, statusUrl);
    return now.status === 'created' && now;
  });
  expect(told.pipeline.id).toEqual(expect.any(Number));
  expect(await parked('list')).toBe('Nothing is parked.\n');
}, 60_000);

it('a message of several triggers is replayed as a whole, and those that have their outcome keep it', async () => {
  const [one, two, three] = (await parkedTriggers(3)) as [ParkedTrigger, ParkedTrigger, ParkedTrigger];
  await query(
    `update gateway.trigger_requests set state = 'rejected', status = 400,
       outcome = json_build_object('requestId', id, 'refusal', json_build_object('status', 400, 'body', json_build_object('message', 'no')))
     where id = $1`,
    [two.id],
  );
  await parked('replay', one.id);
  for (const { statusUrl } of [one, three])
    await until('the pipeline', async () => (await outcome(flagfall, statusUrl)).status === 'created');
  expect(await outcome(flagfall, two.statusUrl)).toMatchObject({ response: { status: 400, body: { message: 'no' } } });
  expect(await parked('list')).toBe('Nothing is parked.\n');
}, 60_000);

it('every one of many is reached', async () => {
  const name = `${flagfall.installation.namespace}.${queue}.parked`;
  await withChannel(async (channel) => {
    for (let number = 1; number <= 101; number++)
      channel.sendToQueue(name, Buffer.from('?'), {
        headers: {
          'parked-id': `m${number}`,
          'parked-reason': 'bad',
          'parked-at': new Date(1e12 + number).toISOString(),
        },
      });
  });
  expect(await parked('list')).toMatch(/^(m\d+ .*\n){100}101 are parked; `list 2` shows the next of them.\n$/);
  expect(await parked('list', '2')).toMatch(/^m101 .*\n$/);
  expect(JSON.parse(await parked('show', 'm101'))).toMatchObject({ id: 'm101', events: [] });
  await parked('drop', 'm101');
  expect(await parked('list', '2')).toBe('Nothing is on this page.\n');
  await withChannel((channel) => channel.purgeQueue(name));
});

it('a parked trigger can be thrown away', async () => {
  const { id, statusUrl } = await parkedTrigger();
  await parked('drop', id);
  expect(await outcome(flagfall, statusUrl)).toMatchObject({
    status: 'rejected',
    response: { status: 500, body: { message: expect.stringContaining('an administrator gave it up') } },
  });
  expect(await parked('list')).toBe('Nothing is parked.\n');
  await expect(parked('drop', id)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('list') });
}, 60_000);

it.each<[string, string[], Record<string, string>, number, RegExp]>([
  ['no command', [], {}, 64, /flagfall parked list/],
  ['an unknown command', ['eat'], {}, 64, /flagfall parked list/],
  ['a page that is none', ['list', 'first'], {}, 64, /flagfall parked list/],
  ['no id', ['show'], {}, 64, /flagfall parked list/],
  ['a wrong token', ['list'], { ROOT_TOKEN: 'glpat-wrong' }, 1, /answered 401/],
  ['no token', ['list'], { ROOT_TOKEN: '', DATA_DIR: '/nonexistent' }, 1, /give ROOT_TOKEN/],
  ['a wrong address', ['list'], { FLAGFALL_URL: 'http://127.0.0.1:1' }, 1, /does not answer/],
])('%s is explained', async (_, words, change, code, text) => {
  const env = { FLAGFALL_URL: flagfall.url, ROOT_TOKEN: flagfall.rootToken, ...change };
  await expect(run(process.execPath, [program, 'parked', ...words], { env })).rejects.toMatchObject({
    code,
    stderr: expect.stringMatching(text),
  });
});
