// needs: rabbitmq, postgresql
import { connect, type GetMessage } from 'amqplib';
import { PipelineTriggered } from '#libs/contracts';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { audit } from '../promises/audit.js';
import { call } from '../promises/calls.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])('two versions side by side', () => {
  const flagfall = startsFlagfall({ name: 'versions', ownServers: true });
  let trigger: Trigger;

  beforeAll(async () => {
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    trigger = await flagfall.newTrigger(app);
  });

  /** Triggers while no pipeline service is there, puts another message in the place of the gateway's, and starts the service. */
  async function triggerWith(change: (data: Record<string, unknown>) => object) {
    const { installation } = flagfall;
    const [service] = installation.pipelineServices;
    await service!.end('SIGTERM');
    const told = await call(flagfall.url, trigger, { Prefer: 'respond-async' });
    const queue = `${installation.namespace}.pipeline-service.${PipelineTriggered.type}`;
    const connection = await connect(installation.amqpUrl);
    try {
      const channel = await connection.createConfirmChannel();
      const message = await until<GetMessage>('the message', () => channel.get(queue));
      const data = change(JSON.parse(message.content.toString()) as Record<string, unknown>);
      const { contentType, correlationId, headers } = message.properties;
      channel.sendToQueue(queue, Buffer.from(JSON.stringify(data)), {
        contentType,
        correlationId,
        headers,
        persistent: true,
      });
      await channel.waitForConfirms();
      channel.ack(message);
      await channel.close();
    } finally {
      await connection.close();
    }
    await service!.start();
    return told;
  }

  it('a message of an older version, without what it did not know, starts its pipeline', async () => {
    const newer = ['trigger', 'upstream', 'inputs'];
    const told = await triggerWith((data) =>
      Object.fromEntries(Object.entries(data).filter(([name]) => !newer.includes(name))),
    );
    expect(await audit(flagfall, [told])).toMatchObject({ accepted: 1 });
  });

  it('a message of a newer version, with what nobody knows here, starts its pipeline', async () => {
    const told = await triggerWith((data) => ({ ...data, novelty: { is: ['here'] } }));
    expect(await audit(flagfall, [told])).toMatchObject({ accepted: 1 });
  });
});
