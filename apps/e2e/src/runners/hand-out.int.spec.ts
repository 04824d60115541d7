// needs: rabbitmq, postgresql
import { pino } from 'pino';
import type { DataSource } from 'typeorm';
import { messageProblems } from '#libs/contracts';
import { RabbitBus } from '#libs/messaging';
import { DatabaseClock, installationId, openDatabase, Outbox } from '#libs/persistence';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { JobSweeper, usualTimes } from '../../../pipeline-service/src/runners/job-sweeper.js';
import { pipelinesSchema } from '../../../pipeline-service/src/schema/index.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner } from '../testing/hand-runner.js';
import type { Project } from '../testing/project.js';

/** The first gateway answers requests for jobs at once, the second one holds them for as long as a test may take. */
const flagfall = startsFlagfall({
  name: 'handout',
  gateways: 2,
  gatewayEnvironments: [{ REQUEST_HOLD_MS: '0' }, { REQUEST_HOLD_MS: '120000' }],
});
const log = pino({ level: 'silent' });
/** For what a test must see or change behind the services' backs. */
let database: DataSource;
let clock: DatabaseClock;
let bus: RabbitBus;

beforeAll(async () => {
  const { databaseUrl, amqpUrl, namespace } = flagfall.installation;
  database = await openDatabase({ url: databaseUrl }, pipelinesSchema, log);
  clock = await DatabaseClock.start(database, log);
  const installation = await installationId(database);
  bus = new RabbitBus({ url: amqpUrl, namespace, installation, validate: messageProblems, name: 'test' });
  await new Promise<void>((resolve) => bus.onConnected(resolve));
});

afterAll(async () => {
  await bus?.close();
  clock?.stop();
  await database?.destroy();
});

function projectWith(configuration = 'job: { script: [make] }'): Promise<Project> {
  return flagfall.newProject({ files: { '.gitlab-ci.yml': configuration } });
}

/** Jobs in the queue. */
async function waiting(): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as jobs from pipelines.jobs where status = 'pending' and runner_id is null`,
  );
  return row.jobs;
}

describe('a held request', () => {
  let heldAt: string;
  let end: AbortController;

  beforeEach(() => {
    heldAt = flagfall.installation.urls[1]!;
    end = new AbortController();
  });

  /** Resolves once the gateway has asked for them; then it holds them. */
  function held(runners: HandRunner[]): Promise<unknown> {
    return until('the requests to be held', async () => {
      const [row] = await database.query(
        'select count(*)::int as runners from pipelines.runners where id = any($1) and contacted_at is not null',
        [runners.map(({ id }) => id)],
      );
      return row.runners === runners.length;
    });
  }

  const answered = (request: Promise<unknown>): Promise<boolean> =>
    request.then(
      () => true,
      () => false,
    );

  it('is one of fifty: each of twenty jobs goes to one', async () => {
    const project = await projectWith('job: { script: [make], parallel: 20 }');
    const runner = await flagfall.newRunner({ url: heldAt });
    const taken: number[] = [];
    const requests = Array.from({ length: 50 }, async (_, index) => {
      const answer = await runner
        .machine(`s_${index}`)
        .request(end.signal)
        .catch(() => undefined);
      if (answer?.status === 201) taken.push(answer.body.id);
    });
    await project.trigger();
    await until('all jobs to be taken', () => taken.length >= 20);
    end.abort();
    await Promise.all(requests);
    expect(new Set(taken).size).toBe(20);
    expect(taken).toHaveLength(20);
    await database.query(`update pipelines.jobs set status = 'success' where project_id = $1`, [project.id]);
  });

  it('gets the job that comes, and one that may not take it does not', async () => {
    const project = await projectWith();
    const fits = await flagfall.newRunner({ url: heldAt });
    const other = await flagfall.newRunner({ url: heldAt, tag_list: ['gpu'], run_untagged: false });
    const idle = answered(other.request(end.signal));
    const request = fits.request(end.signal);
    await held([fits, other]);
    await project.trigger();
    const { status, body } = await request;
    expect(status).toBe(201);
    await fits.end(body, 'success');
    end.abort();
    expect(await idle).toBe(false);
  });

  it('that was given up gets no job', async () => {
    const project = await projectWith();
    const left = await flagfall.newRunner({ url: heldAt });
    const request = answered(left.request(end.signal));
    await held([left]);
    end.abort();
    expect(await request).toBe(false);
    await project.trigger();
    const there = await flagfall.newRunner();
    // What the gateway had in hand when its caller went away, it gives back.
    const job = await until('the job to be there for another one', async () => (await there.request()).body);
    await there.end(job, 'success');
  });
});

describe('a runner gets', () => {
  const expectNone = async (runner: HandRunner) => expect((await runner.request()).status).toBe(204);

  it('jobs whose tags it has, and those without only if it may', async () => {
    const project = await projectWith('job: { script: [make], tags: [linux, gpu] }');
    await project.trigger();
    await expectNone(await flagfall.newRunner());
    await expectNone(await flagfall.newRunner({ tag_list: ['linux'] }));
    const fits = await flagfall.newRunner({ tag_list: ['gpu', 'linux', 'more'], run_untagged: false });
    await fits.end(await fits.take(), 'success');
    await (await projectWith()).trigger();
    await expectNone(fits);
    const plain = await flagfall.newRunner();
    await plain.end(await plain.take(), 'success');
  });

  it('jobs of its project, and of protected refs where it is for these', async () => {
    const project = await projectWith();
    const foreign = await projectWith();
    const own = await flagfall.newRunner({ project });
    await foreign.trigger();
    await expectNone(own);
    const careful = await flagfall.newRunner({ access_level: 'ref_protected' });
    await expectNone(careful);
    await project.post('/protected_branches', { name: 'main' });
    await project.trigger();
    await careful.end(await careful.take(), 'success');
    await project.trigger();
    await own.end(await own.take(), 'success');
    const plain = await flagfall.newRunner();
    await plain.end(await plain.take(), 'success');
  });

  it('jobs of the project with the fewest in progress first', async () => {
    const busy = await projectWith('job: { script: [make], parallel: 3 }');
    const calm = await projectWith();
    await busy.trigger();
    await calm.trigger();
    const runner = await flagfall.newRunner();
    const taken = [];
    for (let count = 0; count < 4; count += 1) taken.push(await runner.start());
    expect(taken.map((job) => job.job_info.project_id)).toEqual([busy.id, calm.id, busy.id, busy.id]);
    for (const job of taken) await runner.end(job, 'success');
  });
});

it('a project with a thousand jobs in the queue hides nobody else’s', async () => {
  const crowd = await projectWith('job: { script: [make], parallel: 200 }');
  const calm = await projectWith();
  for (let count = 0; count < 5; count += 1) await crowd.trigger();
  await calm.trigger();
  const runner = await flagfall.newRunner();
  const [first, second] = [await runner.start(), await runner.start()];
  expect([first, second].map((job) => job.job_info.project_id)).toEqual([crowd.id, calm.id]);
  for (const job of [first, second]) await runner.end(job, 'success');
  await database.query(`update pipelines.jobs set status = 'canceled' where project_id = $1 and status = 'pending'`, [
    crowd.id,
  ]);
});

/** The sweeper that every pipeline service has, with a clock of the test's own. */
describe('as time goes by', () => {
  const second = 1_000;
  let sweeper: JobSweeper;
  let now: number;

  beforeEach(() => {
    sweeper = new JobSweeper(database, new Outbox(database, 'pipelines', bus, '/test', log), clock, log);
    now = Date.now();
  });

  const sweep = (afterSeconds: number) => sweeper.sweep(new Date(now + afterSeconds * second));

  /** Lets this sweeper hear of gateways, up to that time. */
  async function gatewaysReport(fromSeconds: number, toSeconds: number): Promise<void> {
    for (let at = fromSeconds; at <= toSeconds; at += 20) {
      await database.query('update pipelines.gateway_reports set received_at = $1', [new Date(now + at * second)]);
      await sweep(at);
    }
  }

  async function startedJob() {
    const project = await projectWith();
    await project.trigger();
    const runner = await flagfall.newRunner();
    return { project, runner, job: await runner.start() };
  }

  it('a job that nobody acknowledges goes back under a new token, and fails the third time', async () => {
    const project = await projectWith();
    await project.trigger();
    const runner = await flagfall.newRunner();
    for (let time = 1; time <= 2; time += 1) {
      const job = await runner.take();
      now = Date.now();
      await sweep(usualTimes.acknowledge - 1);
      expect(await waiting()).toBe(0);
      await sweep(usualTimes.acknowledge + 1);
      expect(await waiting()).toBe(1);
      const late = await runner.put(job, { state: 'running' });
      expect(late.status).toBe(403);
    }
    const last = await runner.take();
    now = Date.now();
    await sweep(usualTimes.acknowledge + 1);
    expect(await project.job(last)).toMatchObject({
      status: 'failed',
      failure_reason: 'runner_system_failure',
    });
  });

  it('a job whose runner is silent fails, but only while gateways could have heard it', async () => {
    const { project, runner, job } = await startedJob();
    const limit = usualTimes.silent;
    // No gateway reports: nobody can be heard, however long it takes.
    for (let at = 40; at <= 40 + 2 * limit; at += 20) await sweep(at);
    expect((await project.job(job)).status).toBe('running');
    await gatewaysReport(500, 500 + limit - 20);
    expect((await project.job(job)).status).toBe('running');
    await gatewaysReport(500 + limit, 500 + limit);
    expect(await project.job(job)).toMatchObject({
      status: 'failed',
      failure_reason: 'runner_system_failure',
    });
    expect((await runner.put(job, { state: 'running' })).headers.get('job-status')).toBe('failed');
  });

  it('a job that runs past its time is ended', async () => {
    const { project, job } = await startedJob();
    await sweep(3_600 + usualTimes.overrun - 10);
    expect((await project.job(job)).status).toBe('running');
    await sweep(3_600 + usualTimes.overrun + 10);
    expect(await project.job(job)).toMatchObject({
      status: 'failed',
      failure_reason: 'job_execution_timeout',
    });
  });

  it('a job that does not finish being canceled is canceled', async () => {
    const { project, job } = await startedJob();
    await project.post(`/jobs/${job.id}/cancel`);
    now = Date.now();
    await sweep(usualTimes.canceling - 10);
    expect((await project.job(job)).status).toBe('canceling');
    await sweep(usualTimes.canceling + 10);
    expect((await project.job(job)).status).toBe('canceled');
  });

  it('a job that no runner can take fails after an hour, one that waits for its turn after a day', async () => {
    const project = await projectWith('odd: { script: [make], tags: [quantum] }\nplain: { script: [make] }');
    const online = await flagfall.newRunner();
    expect((await online.request()).status).toBe(204);
    const { id } = await project.trigger();
    const status = async () => {
      const { odd, plain } = await project.statuses(id);
      return [odd, plain];
    };
    now = Date.now();
    await sweep(usualTimes.unservable - 10);
    expect(await status()).toEqual(['pending', 'pending']);
    await sweep(usualTimes.unservable + 10);
    expect(await status()).toEqual(['failed', 'pending']);
    await sweep(usualTimes.waiting + 10);
    expect(await status()).toEqual(['failed', 'failed']);
    const { odd } = await project.jobs(id);
    expect(odd.failure_reason).toBe('stuck_or_timeout_failure');
  });
});
