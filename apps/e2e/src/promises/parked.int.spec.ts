// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { workQueues } from '#libs/contracts';
import { withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { outcome } from './audit.js';
import { call } from './calls.js';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../../../bin/parked.mjs', import.meta.url));
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
  return (await run(process.execPath, [program, ...words], { env })).stdout;
}

/** A trigger whose message has been parked, as it is when every attempt to handle it failed. */
async function parkedTrigger(): Promise<{ id: string; statusUrl: string }> {
  const { installation } = flagfall;
  const [service] = installation.pipelineServices;
  await service?.kill();
  const { body } = await call(flagfall.url, trigger, { Prefer: 'respond-async' });
  const name = `${installation.namespace}.${queue}`;
  await until('the message', () =>
    withChannel(async (channel) => {
      const message = await channel.get(name);
      if (!message) return false;
      const { headers, contentType } = message.properties;
      channel.sendToQueue(`${name}.parked`, message.content, {
        contentType,
        persistent: true,
        headers: { ...headers, 'parked-id': body.request_id, 'parked-reason': 'it failed too often' },
      });
      await channel.waitForConfirms();
      channel.ack(message);
      // Answered after everything before it: the acknowledgement has counted.
      await channel.checkQueue(name);
      return true;
    }),
  );
  const database = new pg.Client({ connectionString: installation.databaseUrl });
  await database.connect();
  await database.query(
    `update gateway.trigger_requests set state = 'parked', status = 500, settled_at = now(),
       outcome = json_build_object('requestId', id, 'refusal', json_build_object('status', 500, 'body', json_build_object('message', '500 Internal Server Error'), 'parked', true))
     where id = $1`,
    [body.request_id],
  );
  await database.end();
  await service?.start();
  return { id: body.request_id, statusUrl: body.status_url };
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

it('a parked trigger can be thrown away', async () => {
  const { id } = await parkedTrigger();
  await parked('drop', id);
  expect(await parked('list')).toBe('Nothing is parked.\n');
  await expect(parked('drop', id)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('list') });
}, 60_000);

it.each<[string, string[], Record<string, string>, number, RegExp]>([
  ['no command', [], {}, 64, /npm run parked -- list/],
  ['an unknown command', ['eat'], {}, 64, /npm run parked -- list/],
  ['no id', ['show'], {}, 64, /npm run parked -- list/],
  ['a wrong token', ['list'], { ROOT_TOKEN: 'glpat-wrong' }, 1, /answered 401/],
  ['no token', ['list'], { ROOT_TOKEN: '', DATA_DIR: '/nonexistent' }, 1, /give ROOT_TOKEN/],
  ['a wrong address', ['list'], { FLAGFALL_URL: 'http://127.0.0.1:1' }, 1, /does not answer/],
])('%s is explained', async (_, words, change, code, text) => {
  const env = { FLAGFALL_URL: flagfall.url, ROOT_TOKEN: flagfall.rootToken, ...change };
  await expect(run(process.execPath, [program, ...words], { env })).rejects.toMatchObject({
    code,
    stderr: expect.stringMatching(text),
  });
});
