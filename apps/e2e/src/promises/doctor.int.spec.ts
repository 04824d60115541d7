// needs: rabbitmq, postgresql
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { doctor } from '../testing/doctor.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { call } from './calls.js';

describe('services on PostgreSQL and RabbitMQ', () => {
  const flagfall = startsFlagfall({ name: 'doctor' });
  const query = async (statement: string): Promise<void> => {
    const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
    await database.connect();
    await database.query(statement);
    await database.end();
  };

  it('have nothing wrong with them when all is well', async () => {
    const told = await doctor(flagfall);
    expect(told).toEqual({ code: 0, text: expect.stringMatching(/\nNothing is wrong\.\n$/) });
    for (const line of [
      /^ok +gateway +http\S+ is ready$/m,
      /^ok +database +PostgreSQL \S+.* answers$/m,
      /^ok +clock /m,
      /^ok +schemas +gateway, tokens, pipelines: up to date$/m,
      /^ok +ledger /m,
      /^ok +runners +0 asked for jobs in the last 5 minutes; 0 jobs run, 0 wait/m,
      /^ok +broker +RabbitMQ \S+ answers$/m,
      /^ok +queues +each is handled; 0 messages wait in all$/m,
      /^ok +parked +nothing/m,
      /^ok +storage +\S+storage: [\d.]+ GiB of/m,
      /^ok +git +git version/m,
    ])
      expect(told.text).toMatch(line);
  });

  it('that are away are named, with what waits for them', async () => {
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    const trigger = await flagfall.newTrigger(app);
    const [service] = flagfall.installation.pipelineServices;
    await service?.kill();
    await call(flagfall.url, trigger, { Prefer: 'respond-async' });
    await query(
      `update gateway.trigger_requests set received_at = now() - interval '61 minutes' where state = 'accepted'`,
    );
    const { code, text } = await doctor(flagfall);
    expect(code).toBe(1);
    expect(text).toMatch(/WRONG +queues +nobody handles pipeline\.triggered\.v1, .*\n +→ Start the pipeline-service/);
    expect(text).toMatch(/WRONG +ledger +1 accepted trigger request waits for an outcome, the oldest for 61 minutes/);
    expect(text).toMatch(/\n\d things are wrong\.\n$/);
    await service?.start();
    await until('the doctor to be content', async () => (await doctor(flagfall)).code === 0);
  }, 90_000);

  it('with jobs that no runner asks for are told so', async () => {
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    const { id } = await app.trigger();
    await query(`update pipelines.jobs set queued_at = now() - interval '7 minutes' where pipeline_id = ${id}`);
    const alone = await doctor(flagfall);
    expect(alone.code).toBe(1);
    expect(alone.text).toMatch(
      /WRONG +runners +0 asked .* 0 jobs run, \d+ wait, the oldest for 7 minutes\n +→ No runner is registered/,
    );
    const runner = await flagfall.newRunner({ tag_list: ['other'], run_untagged: false });
    expect((await doctor(flagfall)).text).toMatch(/WRONG +runners .*\n +→ See whether the runners run/);
    await runner.request();
    expect((await doctor(flagfall)).text).toMatch(/^ok +runners +1 asked for jobs/m);
  });

  it('have what is parked counted', async () => {
    const parked = `${flagfall.installation.namespace}.gateway.artifacts.removed.v1.parked`;
    await withChannel(async (channel) => channel.sendToQueue(parked, Buffer.from('{}')));
    const { code, text } = await doctor(flagfall);
    expect(code).toBe(1);
    expect(text).toMatch(/WRONG +parked +1 of gateway\.artifacts\.removed\.v1\n +→ `flagfall parked list`/);
    await withChannel((channel) => channel.purgeQueue(parked));
  });

  it.each([
    [
      'older',
      `update pipelines.migrations set name = 'Other' where name = 'Artifacts1700000006000'`,
      'Other',
      'Artifacts1700000006000',
    ],
    ['newer', `insert into pipelines.migrations (timestamp, name) values (9, 'Other')`, 'Other', null],
  ])('with a schema of an %s version are told', async (age, change, made, was) => {
    await query(change);
    const { code, text } = await doctor(flagfall);
    await query(
      was
        ? `update pipelines.migrations set name = '${was}' where name = '${made}'`
        : `delete from pipelines.migrations where name = '${made}'`,
    );
    expect(code).toBe(1);
    expect(text).toMatch(new RegExp(`WRONG +schema pipelines +it is of an? ${age} version\\n +→ `));
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'a database that is away',
      { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/x' },
      /WRONG +database +it does not work: connect ECONNREFUSED 127\.0\.0\.1:1\n +→ .*DATABASE_URL/,
    ],
    [
      'a broker that is away',
      { AMQP_URL: 'amqp://me:hunter2@127.0.0.1:1' },
      /WRONG +broker +it cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:1\n +→ .*AMQP_URL/,
    ],
    [
      'another namespace',
      { NAMESPACE: 'elsewhere' },
      /WRONG +queues +nobody handles .*\n +→ .*NAMESPACE must be elsewhere/,
    ],
    [
      'a gateway that is away',
      { FLAGFALL_URL: 'http://127.0.0.1:2' },
      /WRONG +gateway +.*does not answer.*ECONNREFUSED/,
    ],
    ['no git', { PATH: '/nonexistent' }, /WRONG +git +it does not run: ENOENT\n +→ .*apt-get install git/],
    ['a key that is not there', { SSH_KEY_FILE: '/nonexistent' }, /WRONG +ssh +SSH_KEY_FILE cannot be read/],
    ['settings that are none', { AMQP_URL: 'hunter2' }, /AMQP_URL is not an address/],
  ])('%s is explained, without secrets', async (_, change, line) => {
    const { code, text } = await doctor(flagfall, change);
    expect(code).toBe(1);
    expect(text).toMatch(line);
    expect(text).not.toContain('hunter2');
  });

  it('a storage that is no directory is explained', async () => {
    const path = join(flagfall.installation.directory, 'file');
    await writeFile(path, '');
    const { code, text } = await doctor(flagfall, { STORAGE_URL: join(path, 'storage') });
    expect(code).toBe(1);
    expect(text).toMatch(/WRONG +storage +\S+ cannot be written: ENOTDIR/);
    await rm(path);
  });
});

describe('in the place of a gateway with a role of its own, as in docker-compose', () => {
  const flagfall = startsFlagfall({ name: 'doctor-role' });

  it('what is not for it to see, or not kept there, is no fault', async () => {
    const url = new URL(flagfall.installation.databaseUrl);
    const role = `gateway_${randomBytes(6).toString('hex')}`;
    const database = new pg.Client({ connectionString: url.href });
    await database.connect();
    try {
      await database.query(`create role ${role} login password 'doctor'`);
      // The views of the others, which a gateway may read, make it a user of their schemas.
      await database.query(`grant usage on schema gateway, tokens, pipelines to ${role}`);
      await database.query(`grant select on all tables in schema gateway to ${role}`);
      url.username = role;
      url.password = 'doctor';
      const told = await doctor(flagfall, { DATABASE_URL: url.href, DATA_DIR: '/nowhere' });
      expect(told).toEqual({ code: 0, text: expect.stringMatching(/\nNothing is wrong\.\n$/) });
      expect(told.text).toMatch(/^ok +schemas +gateway: up to date$/m);
      expect(told.text).toMatch(/^- +schemas +tokens, pipelines: not for this role to see/m);
      expect(told.text).toMatch(/^- +cache +not kept here/m);
    } finally {
      await database.query(`drop owned by ${role}; drop role ${role}`);
      await database.end();
    }
  });
});

describe('everything in one process', () => {
  const flagfall = startsFlagfall({ name: 'doctor-alone', standalone: true });
  const alone = { DATABASE_URL: '', AMQP_URL: '', NAMESPACE: '' };

  it('is looked at by its data directory', async () => {
    const told = await doctor(flagfall, { ...alone, DATA_DIR: join(flagfall.installation.directory, 'data') });
    expect(told).toEqual({ code: 0, text: expect.stringMatching(/\nNothing is wrong\.\n$/) });
    expect(told.text).toMatch(/^ok +schemas +gateway, tokens, pipelines: up to date$/m);
    expect(told.text).toMatch(/^- +broker +none is named/m);
    expect(told.text).toMatch(/^ok +parked /m);
  });

  it('that does not run is told', async () => {
    const DATA_DIR = join(flagfall.installation.directory, 'empty');
    await mkdir(DATA_DIR);
    const { code, text } = await doctor(flagfall, { ...alone, DATA_DIR, FLAGFALL_URL: 'http://127.0.0.1:1' });
    expect(code).toBe(1);
    expect(text).toMatch(/WRONG +database +none is named by DATABASE_URL.*\n +→ Start Flagfall/);
  });
});
