// needs: rabbitmq, postgresql
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { audit } from '../promises/audit.js';
import { call, type Told } from '../promises/calls.js';
import { SteadyLoad } from '../promises/steady-load.js';
import type { Cable } from '../testing/cable.js';
import { doctor } from '../testing/doctor.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';

/** A caller waits 8 s for the outcome, the gateway 10 s for the database; the rest is for a machine with other things to do. */
const patienceMs = 30_000;

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])('a network and a broker in trouble', () => {
  const flagfall = startsFlagfall({ name: 'network', ownServers: true, cables: true });
  let toDatabase: Cable;
  let toBroker: Cable;
  let trigger: Trigger;

  beforeAll(async () => {
    [toDatabase, toBroker] = [flagfall.installation.databaseCable!, flagfall.installation.brokerCable!];
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
    trigger = await flagfall.newTrigger(app);
  });

  const three = (): Promise<Told[]> => Promise.all(Array.from({ length: 3 }, () => call(flagfall.url, trigger)));

  function expectInTime(told: readonly Told[], status: number): void {
    expect(told.map((each) => each.status)).toEqual([status, status, status]);
    for (const { tookMs } of told) expect(tookMs).toBeLessThan(patienceMs);
  }

  async function expectBack(told: readonly Told[], sums: object): Promise<void> {
    expect(await audit(flagfall, told)).toMatchObject(sums);
    await until('a pipeline as the answer', async () => (await call(flagfall.url, trigger)).status === 201);
  }

  it('RabbitMQ is short of memory and takes no messages: triggers are accepted, and run once when it does', async () => {
    const { control } = flagfall.installation.broker!;
    const alarms = async () => (await control('eval', 'rabbit_alarm:get_alarms().')).trim();
    await control('set_vm_memory_high_watermark', '0.00001');
    await until('the alarm', async () => (await alarms()).includes('memory'));
    const told = await three();
    const { text } = await doctor(flagfall);
    await control('set_vm_memory_high_watermark', '0.6');
    await until('the end of the alarm', async () => (await alarms()) === '[]');
    expectInTime(told, 202);
    expect(text).toMatch(/WRONG +broker +RabbitMQ \S+ takes no messages: low on memory\n +→ Give it memory/);
    await expectBack(told, { accepted: 3 });
  });

  it('the network to RabbitMQ is cut: triggers are accepted, and run once when it is mended', async () => {
    toBroker.cut();
    const told = await three();
    toBroker.mend();
    expectInTime(told, 202);
    await expectBack(told, { accepted: 3 });
  });

  it('the network to RabbitMQ swallows everything: triggers are accepted in time, and run once', async () => {
    toBroker.silence();
    const told = await three();
    toBroker.mend();
    expectInTime(told, 202);
    await expectBack(told, { accepted: 3 });
  });

  it('the network to PostgreSQL is cut: 503, and when to come again', async () => {
    toDatabase.cut();
    const told = await three();
    toDatabase.mend();
    expectInTime(told, 503);
    for (const { headers } of told) expect(headers.get('retry-after')).toMatch(/^\d+$/);
    await expectBack(told, { unknown: 3 });
  });

  it('the network to PostgreSQL swallows everything: 503 in time', async () => {
    toDatabase.silence();
    const told = await three();
    toDatabase.mend();
    expectInTime(told, 503);
    await expectBack(told, { unknown: 3 });
  });

  it('PostgreSQL is slow: answers are late, and nothing else', async () => {
    toDatabase.delayMs = 150;
    const told = await three();
    toDatabase.mend();
    for (const { status, tookMs } of told) {
      expect([201, 202]).toContain(status);
      expect(tookMs).toBeGreaterThan(300);
      expect(tookMs).toBeLessThan(patienceMs);
    }
    await expectBack(told, { refused: 0, unknown: 0 });
  });

  it.each([400, 4_000])(
    'PostgreSQL takes %i ms each way under load: every answer comes in time, and nothing is lost or doubled',
    async (delayMs) => {
      const load = new SteadyLoad([flagfall.url], trigger, 20);
      try {
        await load.creates(10);
        toDatabase.delayMs = delayMs;
        await load.answers(60);
        toDatabase.mend();
        await load.creates(20);
      } finally {
        toDatabase.mend();
        await load.stop();
      }
      const slowest = Math.max(...load.told.map(({ tookMs }) => tookMs));
      process.stdout.write(`${delayMs} ms each way to PostgreSQL: the slowest answer took ${Math.round(slowest)} ms\n`);
      expect(slowest).toBeLessThan(patienceMs);
      for (const { status, headers } of load.told) {
        expect([201, 202, 503]).toContain(status);
        if (status === 503) expect(headers.get('retry-after')).toMatch(/^\d+$/);
      }
      expect((await audit(flagfall, load.told)).refused).toBe(0);
    },
    200_000,
  );

  it.each<[string, () => Cable]>([
    ['RabbitMQ', () => toBroker],
    ['PostgreSQL', () => toDatabase],
  ])('the network to %s is cut under load: nothing is lost or doubled', async (_, cable) => {
    const load = new SteadyLoad([flagfall.url], trigger, 30);
    try {
      await load.creates(20);
      cable().cut();
      await load.answers(20);
      cable().mend();
      await load.creates(20);
    } finally {
      cable().mend();
      await load.stop();
    }
    expect((await audit(flagfall, load.told)).refused).toBe(0);
  });
});
