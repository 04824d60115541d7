// needs: rabbitmq, postgresql
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { withChannel } from '../../../../libs/messaging/src/testing/broker.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';
import { audit, withDatabase } from './audit.js';
import { type Ask, call, type Told } from './calls.js';
import { Witness } from './witness.js';

/** For what is not there and will not come. */
const shortMs = 1_000;

/** An audit that finds nothing is worth something only when it finds what is there: here somebody breaks each promise behind its back. */
describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])('the audit', () => {
  const flagfall = startsFlagfall({ name: 'audit', ownServers: true });
  let witness: Witness;
  let ranFile: string;
  let told: Told[];
  let wrong: Told;

  beforeAll(async () => {
    ranFile = join(flagfall.installation.directory, 'ran');
    witness = await Witness.of(flagfall, ranFile);
    const config = `work: {variables: {GIT_STRATEGY: none}, script: ['echo $CI_JOB_ID >> ${ranFile}']}\n`;
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    const trigger: Ask = await flagfall.newTrigger(app);
    await flagfall.startRunner();
    told = [];
    for (let made = 0; made < 4; made++) told.push(await call(flagfall.url, trigger));
    wrong = await call(flagfall.url, { ...trigger, ref: 'nowhere', wrong: true });
    await witness.poison();
  });

  const query = (statement: string, values: unknown[] = []) =>
    withDatabase(flagfall, (database) => database.query(statement, values));
  const idOf = (index: number): number => told[index]!.body.id;
  const jobOf = async (index: number): Promise<number> =>
    (await query('select id::int from pipelines.jobs where pipeline_id = $1', [idOf(index)])).rows[0].id;

  it('finds nothing where nothing is wrong', async () => {
    expect(await audit(flagfall, [...told, wrong])).toEqual({ created: 4, accepted: 0, refused: 1, unknown: 0 });
    expect(await witness.audit()).toEqual({ ran: 4, succeeded: 4, failed: 0, hintsLost: 0, poisoned: 1 });
  });

  it('finds a job that ran twice', async () => {
    const job = await jobOf(0);
    await appendFile(ranFile, `${job}\n`);
    await expect(witness.audit()).rejects.toThrow(`job ${job} ran twice`);
  });

  it('finds a job that is said to have succeeded and did not run', async () => {
    await query(
      `insert into pipelines.jobs select (jsonb_populate_record(job, '{"id": 9000, "token_hash": null}')).*
      from pipelines.jobs as job where pipeline_id = $1`,
      [idOf(1)],
    );
    await expect(witness.audit()).rejects.toThrow('job 9000 succeeded and did not run');
  });

  it('finds a status that went back', async () => {
    const job = await jobOf(1);
    for (const status of ['running', 'success'])
      await query('update pipelines.jobs set status = $2 where id = $1', [job, status]);
    await expect(witness.audit()).rejects.toThrow(`the status of ${job} of jobs went from success back to running`);
  });

  it('finds a pipeline of which nobody was told, and which nobody asked for', async () => {
    await query(
      `insert into pipelines.pipelines select
      (jsonb_populate_record(pipeline, '{"id": 9000, "iid": 9000, "request_id": null, "trigger_id": null, "variables": []}')).*
      from pipelines.pipelines as pipeline where id = $1`,
      [idOf(0)],
    );
    const finding = witness.audit();
    await expect(finding).rejects.toThrow('nobody was told of pipeline 9000');
    await expect(finding).rejects.toThrow(/do not match: \{"request":null,.*"pipeline":"9000"/);
  });

  it('finds a second pipeline of a call', async () => {
    await query(
      `insert into pipelines.pipelines select
      (jsonb_populate_record(pipeline, '{"id": 9001, "iid": 9001, "trigger_id": null}')).*
      from pipelines.pipelines as pipeline where id = $1`,
      [idOf(0)],
    );
    const both = `has the pipelines [${idOf(0)},9001]`;
    await expect(audit(flagfall, told)).rejects.toThrow(both);
    await expect(audit(flagfall, [{ ...told[0]!, status: undefined }])).rejects.toThrow(both);
  });

  it('finds a pipeline that is gone', async () => {
    await query('delete from pipelines.pipelines where id = $1', [idOf(2)]);
    await expect(audit(flagfall, told)).rejects.toThrow(/has the pipelines \[\]/);
    await expect(witness.audit()).rejects.toThrow(`"told":"${idOf(2)}","pipeline":null`);
  });

  it('finds a pipeline for who was refused, and for a wrong call', async () => {
    const found = `has the pipelines [${idOf(1)}]`;
    await expect(audit(flagfall, [{ ...told[1]!, status: 400 }])).rejects.toThrow(found);
    await expect(audit(flagfall, [{ ...told[1]!, wrong: true }])).rejects.toThrow(`wrong call ${told[1]!.number}`);
  });

  it('finds a last use that is not the newest', async () => {
    await query('update tokens.triggers set last_used_pipeline_id = $1', [idOf(0)]);
    await expect(witness.audit(shortMs)).rejects.toThrow('each trigger to be last used by its newest pipeline');
    await query('update tokens.triggers set last_used_pipeline_id = $1', [idOf(3)]);
  });

  it('finds a job that is not over', async () => {
    await query(`update pipelines.jobs set status = 'created' where id = 9000`);
    await expect(witness.audit(shortMs)).rejects.toThrow('all jobs to be over: [{"id":"9000"');
    await query('delete from pipelines.jobs where id = 9000');
  });

  it('finds a poisoned message that is lost, and any other one that is parked', async () => {
    const { namespace, amqpUrl } = flagfall.installation;
    const queue = `${namespace}.pipeline-service.pipeline.triggered.v1.parked`;
    await withChannel(async (channel) => {
      await channel.purgeQueue(queue);
      channel.sendToQueue(queue, Buffer.from('a trigger'));
    }, amqpUrl);
    const finding = until('the message', async () => {
      const error = await witness.audit().then(() => undefined, String);
      return error?.includes('this is parked: a trigger') && error;
    });
    expect(await finding).toContain('poison 1 is not parked');
  });

  it('finds a message that nobody takes', async () => {
    const { namespace, amqpUrl } = flagfall.installation;
    await withChannel(async (channel) => {
      await channel.assertQueue(`${namespace}.forgotten`);
      channel.sendToQueue(`${namespace}.forgotten`, Buffer.from('a message'));
    }, amqpUrl);
    await expect(witness.audit(shortMs)).rejects.toThrow(/all queues to be empty.*forgotten/);
  });
});
