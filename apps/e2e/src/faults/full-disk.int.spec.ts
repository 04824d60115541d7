// needs: rabbitmq, postgresql
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Answer } from '../testing/api.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { HandRunner, TakenJob } from '../testing/hand-runner.js';
import { describeWith } from '../testing/installed.js';
import type { Project } from '../testing/project.js';

const run = promisify(execFile);
const room = 65_536;

const config = `
build: { script: ['head -c 200000 /dev/zero | tr "\\\\0" x', 'head -c 200000 /dev/urandom > dist'], artifacts: { paths: [dist] } }
`;

/**
 * The system lets no file of the gateway become larger than the room there is. A write that does not fit is taken in part, and the next one fails, as on
 * a full disk, which only root could mount.
 */
describeWith([['prlimit']])('no room for logs and artifacts', () => {
  const flagfall = startsFlagfall({ name: 'full-disk', environment: { REQUEST_HOLD_MS: '0' } });
  let project: Project;
  let runner: HandRunner;

  beforeAll(async () => {
    project = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    runner = await flagfall.newRunner();
  });

  async function limitFiles(bytes: number | 'unlimited'): Promise<void> {
    const [gateway] = flagfall.installation.gateways;
    await run('prlimit', [`--pid=${gateway?.pid}`, `--fsize=${bytes}:unlimited`]);
  }
  beforeEach(() => limitFiles(room));
  afterEach(() => limitFiles('unlimited'));

  async function build(): Promise<TakenJob> {
    await project.trigger();
    return runner.start();
  }

  function upload({ id, token }: TakenJob, content: Buffer): Promise<Answer> {
    const form = [
      '--part\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n',
      content,
      '\r\n--part--\r\n',
    ];
    return flagfall.call({
      method: 'POST',
      path: `/jobs/${id}/artifacts`,
      headers: { 'JOB-TOKEN': token, 'Content-Type': 'multipart/form-data; boundary=part' },
      raw: Buffer.concat(form.map((part) => Buffer.from(part))),
    });
  }

  function expectLater({ status, headers, body }: Answer): void {
    expect([status, body]).toEqual([503, { message: '503 Service Unavailable' }]);
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
  }

  const logOf = (job: TakenJob): Promise<string> => project.get(`/jobs/${job.id}/trace`);

  it('a log is stored as far as there is room, and the rest once there is', async () => {
    const job = await build();
    const log = Array.from({ length: 10_000 }, (_, line) => `line ${line}\n`).join('');
    const [first, second] = [log.slice(0, 60_000), log.slice(60_000)];
    await runner.log(job, first);
    expectLater(await runner.patch(job, 60_000, second));
    expect(await logOf(job)).toBe(log.slice(0, room));

    const again = await runner.patch(job, 60_000, second);
    expect([again.status, again.headers.get('range')]).toEqual([416, `0-${room}`]);
    expectLater(await runner.patch(job, room, log.slice(room)));

    await limitFiles('unlimited');
    expect((await runner.patch(job, room, log.slice(room))).status).toBe(202);
    await runner.end(job, 'success');
    await until('the packed log', async () => (await logOf(job)) === log);
  });

  it('a runner whose log finds no room is heard of all the same', async () => {
    const job = await build();
    await runner.log(job, 'x'.repeat(room));
    const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
    await database.connect();
    const heardOf = async (): Promise<Date> => {
      const { rows } = await database.query('select last_contact_at from pipelines.jobs where id = $1', [job.id]);
      return rows[0].last_contact_at;
    };
    try {
      const before = await until('the size of the log to be known', async () => {
        const { rows } = await database.query('select trace_size from pipelines.jobs where id = $1', [job.id]);
        return Number(rows[0].trace_size) === room && heardOf();
      });
      await until('a later contact', async () => {
        expectLater(await runner.patch(job, room, 'y'));
        return (await heardOf()) > before;
      });
    } finally {
      await database.end();
    }
    await runner.end(job, 'failed');
    expect(await project.job(job)).toMatchObject({ status: 'failed', failure_reason: 'script_failure' });
    expect(await logOf(job)).toBe('x'.repeat(room));
  });

  it('an artifact is there as a whole or not at all', async () => {
    const job = await build();
    const content = Buffer.alloc(3 * room, 'artifact');
    expectLater(await upload(job, content));
    expect((await project.job(job)).artifacts).toEqual([]);
    expect((await flagfall.call({ path: `/projects/${project.id}/jobs/${job.id}/artifacts`, token: flagfall.rootToken })).status).toBe(404); // prettier-ignore
    const stored = async (): Promise<string[]> =>
      (await readdir(join(flagfall.installation.directory, 'storage/artifacts'), { recursive: true })).filter((name) =>
        name.includes('-'),
      );
    expect(await stored()).toEqual([]);

    await limitFiles('unlimited');
    expect((await upload(job, content)).status).toBe(201);
    await runner.end(job, 'success');
    expect((await project.job(job)).artifacts_file).toEqual({ filename: 'a.zip', size: content.length });
    expect(await stored()).toHaveLength(1);
  });

  it('a real runner goes on when there is room, and its job has all of its log and its artifact', async () => {
    const { id } = await project.trigger();
    await flagfall.startRunner();
    const refused = () => flagfall.installation.gateways[0]?.output.split('"code":"EFBIG"').length ?? 0;
    const before = refused();
    await until('the runner to find no room', () => refused() > before);
    await limitFiles('unlimited');
    expect((await project.finished(id)).status).toBe('success');
    const { build: job } = await project.jobs(id);
    expect(job.artifacts_file.size).toBeGreaterThan(200_000);
    await until('the whole log', async () => (await logOf(job)).includes(`${'x'.repeat(200_000)}`));
  }, 60_000);
});
