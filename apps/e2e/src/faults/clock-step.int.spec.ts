// needs: rabbitmq, postgresql
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { GitHttpServer } from '../../../pipeline-service/src/repositories/testing/git-http-server.js';
import { audit, outcome } from '../promises/audit.js';
import { call } from '../promises/calls.js';
import { SteadyLoad } from '../promises/steady-load.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith, directoryWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

type Service = 'gateway' | 'token-service' | 'pipeline-service' | 'runner';
const services: readonly Service[] = ['gateway', 'token-service', 'pipeline-service', 'runner'];
const hour = 3_600;
const steps = [hour, -hour] as const;
const longestMs = 90_000;

/** Jobs for which there is no runner, and one that a real runner is busy with all the time. */
const config = `
build: { tags: [nobody], script: [make] }
`;
const ticking = `
ticks: { variables: { GIT_STRATEGY: none }, script: ['until [ -f "$STOP" ]; do echo tick; sleep 0.1; done'] }
`;

/** The program knows where its library is. @throws Error where it is not installed (Debian, Ubuntu: apt-get install faketime) */
function fakingLibrary(): string {
  const directory = directoryWith('faketime');
  if (!directory) throw new Error('faketime must be installed to run this test: apt-get install faketime');
  const words = ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'];
  return execFileSync(join(directory, 'faketime'), words, { encoding: 'utf8' }).trim();
}

/** libfaketime gives each service a clock of its own, which a file sets while it runs; timers and the monotonic clock stay as they are, as in a step by hand. */
describeWith([['faketime']])('the clock of one service is set by an hour', () => {
  const clocks = mkdtempSync(join(tmpdir(), 'flagfall-clocks-'));
  const clockOf = (program: string): string => join(clocks, program);
  const flagfall = startsFlagfall({
    name: 'clock-step',
    environmentOf: (program) => {
      writeFileSync(clockOf(program), '+0');
      return {
        LD_PRELOAD: fakingLibrary(),
        FAKETIME_TIMESTAMP_FILE: clockOf(program),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      };
    },
  });
  let app: Project;
  let trigger: Trigger;
  let busy: { project: Project; pipelineId: number; stop: string };

  beforeAll(async () => {
    app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    trigger = await flagfall.newTrigger(app);
    const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': ticking } });
    const stop = join(flagfall.installation.directory, 'stop');
    const { id: pipelineId } = await project.trigger('main', { STOP: stop });
    busy = { project, pipelineId, stop };
    await flagfall.startRunner();
    await project.logSays(pipelineId, 'ticks', 'tick\n');
  });

  afterEach(() => Promise.all(services.map((service) => setClock(service, 0))));
  afterAll(() => rm(clocks, { recursive: true }));

  function setClock(service: Service, seconds: number): Promise<void> {
    return writeFile(clockOf(service), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}`);
  }

  async function query(statement: string): Promise<any[]> {
    const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
    await database.connect();
    try {
      return (await database.query(statement)).rows;
    } finally {
      await database.end();
    }
  }

  /** What the job says arrives as before. */
  async function logGoesOn(): Promise<void> {
    const { project, pipelineId } = busy;
    const ticks = async (): Promise<number> => (await project.log(pipelineId, 'ticks')).split('tick\n').length;
    const before = await ticks();
    await until('the log to go on', async () => (await ticks()) > before + 5);
  }

  /** The sweeper has looked since now: it ended a job that has waited for longer than any may. */
  async function jobsAreSwept(): Promise<void> {
    const [{ id }] = await query(
      `update pipelines.jobs set queued_at = now() - interval '25 hours'
       where id = (select min(id) from pipelines.jobs where status = 'pending' and runner_id is null) returning id`,
    );
    await until('a job to be given up', async () => {
      const [job] = await query(`select status from pipelines.jobs where id = ${id}`);
      return job.status === 'failed';
    });
    await query(`delete from pipelines.jobs where id = ${id}`);
  }

  it.each(services)(
    '%s: no trigger is lost or doubled, and no job given up',
    async (service) => {
      const load = new SteadyLoad([flagfall.url], trigger, 30);
      try {
        await load.creates(5);
        for (const step of steps) {
          await setClock(service, step);
          await load.creates(10);
          await logGoesOn();
          if (service === 'pipeline-service' && step > 0) await jobsAreSwept();
        }
        await setClock(service, 0);
        await load.creates(5);
      } finally {
        await load.stop();
      }
      const told = await audit(flagfall, load.told);
      expect(told).toEqual({ created: load.told.length, accepted: 0, refused: 0, unknown: 0 });
      expect(await query(`select id, name, status from pipelines.jobs where status = 'failed'`)).toEqual([]);
    },
    longestMs,
  );

  it.each(steps)('gateway, %i s: keys stand for what they stood for, and who is signed in stays so', async (step) => {
    const headers = { 'Idempotency-Key': `step ${step}` };
    const form = [['token', trigger.token], ['ref', 'main']] as const; // prettier-ignore
    const send = () => flagfall.call({ method: 'POST', path: `/projects/${app.id}/trigger/pipeline`, form, headers });
    const signIn = await flagfall.call({
      method: 'POST',
      path: '//-/session',
      json: { access_token: flagfall.rootToken },
    });
    const cookie = signIn.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    const first = await send();
    await setClock('gateway', step);
    const again = await send();
    expect([first.status, again.status, again.body.id]).toEqual([201, 201, first.body.id]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await flagfall.call({ path: '//-/session', headers: { Cookie: cookie } })).status).toBe(200);
  });

  it(
    'a repository that does not answer is tried for as long as before, whatever gateway and pipeline service take the time for',
    async () => {
      const server = await GitHttpServer.start();
      try {
        let status = 503;
        const import_url = server.place('away', '', (_, response) => Boolean(response.writeHead(status).end()));
        const away = await flagfall.newTrigger(await flagfall.newProject({ import_url }));
        await setClock('gateway', -hour);
        const told = await call(flagfall.url, away, { Prefer: 'respond-async' });
        await until('a try', () => server.requests.length > 0);
        await setClock('pipeline-service', hour);
        const tries = server.requests.length;
        await until('more tries', () => server.requests.length > tries + 1, longestMs);
        const now = (): Promise<{ status: string }> => outcome(flagfall, told.body.status_url);
        expect((await now()).status).toBe('accepted');
        status = 404;
        await until('the end of tries', async () => (await now()).status === 'rejected', longestMs);
      } finally {
        await server.close();
      }
    },
    longestMs,
  );

  it('the job that ran through all of it succeeds', async () => {
    await writeFile(busy.stop, '');
    expect((await busy.project.finished(busy.pipelineId)).status).toBe('success');
  });
});
