// needs: rabbitmq, postgresql
import pg from 'pg';
import { takeAll } from '../../../../libs/messaging/src/testing/broker.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { outcome } from './audit.js';
import { call } from './calls.js';

const flagfall = startsFlagfall({ name: 'deleted' });

it('a request whose project is deleted before it is decided is settled as 404', async () => {
  const { installation } = flagfall;
  const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
  const trigger = await flagfall.newTrigger(app);
  const [service] = installation.pipelineServices;
  await service?.kill();
  const { body } = await call(flagfall.url, trigger, { Prefer: 'respond-async' });
  // Its message is lost with the queue, so that the ledger alone still knows of it.
  const queue = `${installation.namespace}.pipeline-service.pipeline.triggered.v1`;
  await until('the message', async () => (await takeAll(queue)).length === 1);
  await service?.start();
  await until('the project to be deleted', async () => {
    const { status } = await flagfall.call({
      method: 'DELETE',
      path: `/projects/${app.id}`,
      headers: { 'PRIVATE-TOKEN': flagfall.rootToken },
    });
    return status === 202 || status === 404;
  });
  expect((await outcome(flagfall, body.status_url)).status).toBe('accepted');
  const database = new pg.Client({ connectionString: installation.databaseUrl });
  await database.connect();
  await database.query('update gateway.trigger_requests set next_publish_at = now() where id = $1', [body.request_id]);
  const told = await until('the outcome', async () => {
    const now = await outcome(flagfall, body.status_url);
    return now.status === 'rejected' && now;
  });
  expect(told.response).toEqual({ status: 404, body: { message: '404 Not Found' } });
  const { rows } = await database.query('select state, status from gateway.trigger_requests where id = $1', [
    body.request_id,
  ]);
  expect(rows).toEqual([{ state: 'rejected', status: 404 }]);
  await database.end();
}, 60_000);
