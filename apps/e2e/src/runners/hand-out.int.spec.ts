import { pino } from 'pino';
import { Outbox } from '#libs/persistence';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { JobSweeper, usualTimes } from '../../../pipeline-service/src/runners/job-sweeper.js';
import { HandRunner, jobOf, projectWith } from '../testing/hand-runner.js';
import { Workshop } from '../testing/workshop.js';

let workshop: Workshop;

beforeAll(async () => {
  workshop = await Workshop.open('handout', { REQUEST_HOLD_MS: '20000' });
}, 60_000);
afterAll(() => workshop?.close());

/** What a request that nobody serves is ended by. */
function patience(ms: number): AbortSignal {
  return AbortSignal.timeout(ms);
}

const nothing = (request: Promise<unknown>) =>
  request.then(
    () => 'an answer',
    () => 'no answer',
  );

/** Jobs in the queue, seen from behind. */
async function waiting(): Promise<number> {
  const [row] = await workshop.database.query(
    `select count(*)::int as jobs from pipelines.jobs where status = 'pending' and runner_id is null`,
  );
  return row.jobs;
}

it('of fifty requests at once each of twenty jobs goes to one', async () => {
  const project = await projectWith(workshop, 'many', 'job: { script: [make], parallel: 20 }');
  const token = await workshop.newRunner({ description: 'fifty machines' });
  const end = new AbortController();
  const requests = Array.from({ length: 50 }, (_, index) =>
    new HandRunner(workshop, token, true, `s_${index}`).request(end.signal).catch(() => undefined),
  );
  const taken: number[] = [];
  for (const request of requests)
    void request.then((answer) => {
      if (answer?.status === 201) taken.push(answer.body.id);
    });
  await workshop.trigger(project);
  await until('all jobs to be taken', () => taken.length >= 20, 15_000);
  end.abort();
  await Promise.all(requests);
  expect(new Set(taken).size).toBe(20);
  expect(taken).toHaveLength(20);
  await workshop.database.query(`update pipelines.jobs set status = 'success' where project_id = $1`, [project.id]);
}, 60_000);

it('a held request gets its job at once, and nobody else is asked', async () => {
  const project = await projectWith(workshop, 'quick');
  const fits = await HandRunner.create(workshop, { tag_list: ['gpu'], run_untagged: false });
  const other = await HandRunner.create(workshop);
  const end = new AbortController();
  const idle = nothing(fits.request(end.signal));
  const held = other.request();
  await until('both to be held', async () => (await contacted([fits, other])) === 2);
  const at = performance.now();
  await workshop.trigger(project);
  const { status, body } = await held;
  expect(status).toBe(201);
  // Triggering a pipeline is part of it; without a hint it would be up to two seconds.
  expect(performance.now() - at).toBeLessThan(1_500);
  await other.put(body, { state: 'success' });
  end.abort();
  expect(await idle).toBe('no answer');
}, 30_000);

async function contacted(runners: HandRunner[]): Promise<number> {
  const ids = await Promise.all(
    runners.map(
      async ({ token }) => (await workshop.must('POST', '/runners/verify', { token: null, json: { token } })).id,
    ),
  );
  const [row] = await workshop.database.query(
    'select count(*)::int as runners from pipelines.runners where id = any($1) and contacted_at is not null',
    [ids],
  );
  return row.runners;
}

it('a runner that went away gets no job', async () => {
  const project = await projectWith(workshop, 'gone');
  const left = await HandRunner.create(workshop);
  expect(await nothing(left.request(patience(300)))).toBe('no answer');
  await workshop.trigger(project);
  expect(await waiting()).toBe(1);
  const there = await HandRunner.create(workshop);
  await there.put(await there.take(), { state: 'success' });
}, 30_000);

describe('a runner gets', () => {
  const refused = async (runner: HandRunner) => expect(await nothing(runner.request(patience(700)))).toBe('no answer');

  it('jobs whose tags it has, and those without only if it may', async () => {
    const project = await projectWith(workshop, 'tags', 'job: { script: [make], tags: [linux, gpu] }');
    await workshop.trigger(project);
    await refused(await HandRunner.create(workshop));
    await refused(await HandRunner.create(workshop, { tag_list: ['linux'] }));
    const fits = await HandRunner.create(workshop, { tag_list: ['gpu', 'linux', 'more'], run_untagged: false });
    await fits.put(await fits.take(), { state: 'success' });
    await workshop.trigger(await projectWith(workshop, 'untagged'));
    await refused(fits);
    const plain = await HandRunner.create(workshop);
    await plain.put(await plain.take(), { state: 'success' });
  }, 30_000);

  it('jobs of its project, and of protected refs where it is for these', async () => {
    const project = await projectWith(workshop, 'own');
    const foreign = await projectWith(workshop, 'foreign');
    const settings = { runner_type: 'project_type', project_id: project.id };
    const own = await HandRunner.create(workshop, settings);
    await workshop.trigger(foreign);
    await refused(own);
    const careful = await HandRunner.create(workshop, { access_level: 'ref_protected' });
    await refused(careful);
    await workshop.must('POST', `/projects/${project.id}/protected_branches`, { json: { name: 'main' } });
    await workshop.trigger(project);
    await careful.put(await careful.take(), { state: 'success' });
    await workshop.trigger(project);
    await own.put(await own.take(), { state: 'success' });
    const plain = await HandRunner.create(workshop);
    await plain.put(await plain.take(), { state: 'success' });
  }, 30_000);

  it('jobs of the project with the fewest in progress first', async () => {
    const busy = await projectWith(workshop, 'busy', 'job: { script: [make], parallel: 3 }');
    const calm = await projectWith(workshop, 'calm');
    await workshop.trigger(busy);
    await workshop.trigger(calm);
    const runner = await HandRunner.create(workshop);
    const taken = [];
    for (let count = 0; count < 4; count += 1) taken.push(await runner.start());
    expect(taken.map((job) => job.job_info.project_id)).toEqual([busy.id, calm.id, busy.id, busy.id]);
    for (const job of taken) await runner.put(job, { state: 'success' });
  }, 30_000);
});

describe('as time goes by', () => {
  const second = 1_000;
  let sweeper: JobSweeper;
  let now: number;

  beforeEach(() => {
    const log = pino({ level: 'silent' });
    sweeper = new JobSweeper(
      workshop.database,
      new Outbox(workshop.database, 'pipelines', workshop.bus, '/test', log),
      log,
    );
    now = Date.now();
  });

  const sweep = (afterSeconds: number) => sweeper.sweep(new Date(now + afterSeconds * second));

  /** Lets this sweeper hear of gateways, up to that time. */
  async function gatewaysReport(fromSeconds: number, toSeconds: number): Promise<void> {
    for (let at = fromSeconds; at <= toSeconds; at += 20) {
      await workshop.database.query('update pipelines.gateway_reports set received_at = $1', [
        new Date(now + at * second),
      ]);
      await sweep(at);
    }
  }

  async function startedJob(name: string) {
    const project = await projectWith(workshop, name);
    await workshop.trigger(project);
    const runner = await HandRunner.create(workshop);
    return { project, runner, job: await runner.start() };
  }

  it('a job that nobody acknowledges goes back under a new token, and fails the third time', async () => {
    const project = await projectWith(workshop, 'lost');
    await workshop.trigger(project);
    const runner = await HandRunner.create(workshop);
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
    expect(await jobOf(workshop, project, last)).toMatchObject({
      status: 'failed',
      failure_reason: 'runner_system_failure',
    });
  }, 30_000);

  it('a job whose runner is silent fails, but only while gateways could have heard it', async () => {
    const { project, runner, job } = await startedJob('silent');
    const limit = usualTimes.silent;
    // No gateway reports: nobody can be heard, however long it takes.
    for (let at = 40; at <= 40 + 2 * limit; at += 20) await sweep(at);
    expect((await jobOf(workshop, project, job)).status).toBe('running');
    await gatewaysReport(500, 500 + limit - 20);
    expect((await jobOf(workshop, project, job)).status).toBe('running');
    await gatewaysReport(500 + limit, 500 + limit);
    expect(await jobOf(workshop, project, job)).toMatchObject({
      status: 'failed',
      failure_reason: 'stuck_or_timeout_failure',
    });
    expect((await runner.put(job, { state: 'running' })).headers.get('job-status')).toBe('failed');
  }, 30_000);

  it('a job that runs past its time is ended', async () => {
    const { project, job } = await startedJob('overrun');
    await sweep(3_600 + usualTimes.overrun - 10);
    expect((await jobOf(workshop, project, job)).status).toBe('running');
    await sweep(3_600 + usualTimes.overrun + 10);
    expect(await jobOf(workshop, project, job)).toMatchObject({
      status: 'failed',
      failure_reason: 'job_execution_timeout',
    });
  }, 30_000);

  it('a job that does not finish being canceled is canceled', async () => {
    const { project, job } = await startedJob('stubborn');
    await workshop.must('POST', `/projects/${project.id}/jobs/${job.id}/cancel`);
    now = Date.now();
    await sweep(usualTimes.canceling - 10);
    expect((await jobOf(workshop, project, job)).status).toBe('canceling');
    await sweep(usualTimes.canceling + 10);
    expect((await jobOf(workshop, project, job)).status).toBe('canceled');
  }, 30_000);

  it('a job that no runner can take fails after an hour, one that waits for its turn after a day', async () => {
    const project = await projectWith(
      workshop,
      'waits',
      'odd: { script: [make], tags: [quantum] }\nplain: { script: [make] }',
    );
    const online = await HandRunner.create(workshop);
    expect(await nothing(online.request(patience(300)))).toBe('no answer');
    const pipelineId = await workshop.trigger(project);
    const status = async () => {
      const { odd, plain } = await workshop.jobs(project, pipelineId);
      return [odd.status, plain.status];
    };
    await sweep(usualTimes.unservable - 10);
    expect(await status()).toEqual(['pending', 'pending']);
    await sweep(usualTimes.unservable + 10);
    expect(await status()).toEqual(['failed', 'pending']);
    await sweep(usualTimes.waiting + 10);
    expect(await status()).toEqual(['failed', 'failed']);
    const { odd } = await workshop.jobs(project, pipelineId);
    expect(odd.failure_reason).toBe('stuck_or_timeout_failure');
  }, 30_000);
});
