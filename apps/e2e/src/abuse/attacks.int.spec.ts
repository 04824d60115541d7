// needs: rabbitmq, postgresql
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import pg from 'pg';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import type { Call } from '../testing/api.js';
import { startsFlagfall } from '../testing/flagfall.js';
import type { TakenJob } from '../testing/hand-runner.js';
import { operationsOf, pathWith } from './operations.js';
import { Target } from './target.js';

const flagfall = startsFlagfall({
  name: 'attacks',
  ownServers: true,
  environment: { REQUEST_HOLD_MS: '0', LOG_LEVEL: 'debug' },
});
let target: Target;
let running: TakenJob;

beforeAll(async () => {
  target = await Target.make(flagfall, 'target');
  running = await target.runningJob();
});

it('arguments for git through the ref: a ref is a name, and nothing runs', async () => {
  const made = join(flagfall.installation.directory, 'owned');
  const refs = [
    `--upload-pack=touch ${made}`,
    '--output=x',
    '-c',
    `main;touch ${made}`,
    `$(touch ${made})`,
    'main:.gitlab-ci.yml',
    'main^{/x}',
    '../../x',
  ];
  for (const ref of refs) {
    const json = { token: target.trigger.token, ref };
    const path = `/projects/${target.project.id}/trigger/pipeline`;
    const { status, body } = await flagfall.call({ method: 'POST', path, json });
    expect({ ref, status, body }).toEqual({ ref, status: 400, body: { message: { base: ['Reference not found'] } } });
  }
  expect(existsSync(made)).toBe(false);
});

describe('SQL through every parameter of a query', () => {
  const texts = [
    "'",
    "x' or '1'='1",
    'id; select pg_sleep(20); --',
    '(select pg_sleep(20))',
    'id desc, (select 1/0)',
    "%' or 1/0=1 --",
    '\\',
    '$1',
    '{}',
  ];

  it('is a text like any other, or refused', async () => {
    const { token } = { token: flagfall.rootToken };
    const operations = (await operationsOf(flagfall.url)).filter(
      ({ method, path }) => method === 'GET' && !path.endsWith('/live') && !path.startsWith('/-/git/'),
    );
    const wrong: string[] = [];
    let tried = 0;
    for (const { name, path, sent } of operations)
      for (const parameter of sent)
        for (const text of texts) {
          const ids = { ...target.ids, key: 'KEY_OF_target', name: 'release-target', status_token: 'x' };
          const suffix = parameter.type === 'array' ? '[]' : parameter.type === 'object' ? '[x]' : '';
          const query = new URLSearchParams([[parameter.name + suffix, text]]);
          const answer = await fetch(`${flagfall.url}${pathWith(path, ids)}?${String(query)}`, {
            headers: { 'PRIVATE-TOKEN': token },
            redirect: 'manual',
            // Less than what it asks the database to sleep.
            signal: AbortSignal.timeout(15_000),
          }).catch((error: unknown) => ({ status: String(error), text: async () => '' }));
          await answer.text();
          tried += 1;
          if (![200, 400, 401, 403, 404].includes(answer.status as number))
            wrong.push(`${name}?${String(query)} got ${answer.status}`);
        }
    process.stdout.write(`SQL: ${tried} values of parameters\n`);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(500);
  }, 600_000);
});

/** Does something while the database logs every statement, and the broker copies every message. @returns all of them as text */
async function watched(act: () => Promise<void>): Promise<{ statements: string; messages: string }> {
  const { amqpUrl, broker, database: server, databaseUrl } = flagfall.installation;
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const log = async (what: 'all' | 'none') => {
    await database.query(`alter system set log_statement = '${what}'`);
    await database.query('select pg_reload_conf()');
    const shown = async () =>
      (await database.query<{ log_statement: string }>('show log_statement')).rows[0]?.log_statement;
    await until(`the database to log ${what}`, async () => (await shown()) === what);
  };
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'amq.rabbitmq.trace', '#');
  let messages = '';
  await channel.consume(queue, (message) => (messages += `${message?.content.toString() ?? ''}\n`), { noAck: true });
  const before = server!.program.output.length;
  try {
    await Promise.all([log('all'), broker!.control('trace_on')]);
    await act();
    await broker!.control('trace_off');
    // What was copied before it comes before it.
    const end = `end-${String(Math.random())}`;
    channel.sendToQueue(queue, Buffer.from(end));
    await until('all messages', () => messages.includes(end));
    await log('none');
    return { statements: server!.program.output.slice(before), messages };
  } finally {
    await connection.close();
    await database.end();
  }
}

describe('secrets', () => {
  it('are told to the database and to other services as hashes alone, so that the time of a check tells about hashes of guesses', async () => {
    const secrets: Record<string, string> = {};
    const guesses: string[] = [];
    const { statements, messages } = await watched(async () => {
      const { token: access } = await flagfall.newUser('guessed');
      const { token: trigger } = await flagfall.newTrigger(target.project);
      const runner = await flagfall.newRunner({ project: target.project, tag_list: ['guessed'] });
      await runner.request();
      const job = (await target.runningJob()).token as string;
      Object.assign(secrets, { access, trigger, runner: runner.token, job });
      const tell: Record<string, (token: string) => Call> = {
        access: (token) => ({ path: '/user', token }),
        trigger: (token) => ({
          method: 'POST',
          path: `/projects/${target.project.id}/trigger/pipeline`,
          json: { token, ref: 'main' },
        }),
        runner: (token) => ({ method: 'POST', path: '/runners/verify', json: { token } }),
        job: (token) => ({ path: '/job', headers: { 'JOB-TOKEN': token } }),
      };
      for (const [kind, secret] of Object.entries(secrets)) {
        // Right but for its end: were secrets compared, nothing would come closer.
        const guess = secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A');
        guesses.push(guess);
        expect((await flagfall.call(tell[kind]!(secret))).status).toBeLessThan(300);
        expect([401, 403, 404]).toContain((await flagfall.call(tell[kind]!(guess))).status);
      }
      const session = await flagfall.call({ method: 'POST', path: '//-/session', json: { access_token: access } });
      secrets['session'] = session.headers.get('set-cookie')?.split(/[=;]/)[1] ?? '';
      await flagfall.must({ path: '//-/session', headers: { Cookie: `flagfall_session=${secrets['session']}` } });
    });
    // Something was seen of each.
    for (const text of [...guesses, ...Object.values(secrets)])
      expect([text, statements.includes(createHash('sha256').update(text).digest('hex'))]).toEqual([text, true]);
    expect(messages).toContain('"projectId"');
    for (const [kind, secret] of Object.entries(secrets)) {
      const most = secret.slice(0, -1);
      expect([kind, statements.includes(most), messages.includes(most)]).toEqual([kind, false, false]);
    }
    const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
    await database.connect();
    try {
      // Looked up by an index, whose time does not depend on how much of a hash is right in a way that would help: nobody can choose a hash.
      const { rows } = await database.query<{ name: string }>(
        `select format('%I.%I.%I', n.nspname, c.relname, a.attname) as name
         from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind = 'r' join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('gateway', 'tokens', 'pipelines') and (a.attname like '%token_hash' or a.attname in ('secret_hash', 'key_hash'))
           and not exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum)`,
      );
      const unindexed = rows.map(({ name }) => name);
      expect(unindexed).toEqual([]);
    } finally {
      await database.end();
    }
  }, 120_000);

  it('in URLs, headers and bodies, good ones and bad ones, come to no log, no error and no row', async () => {
    const { token: personal } = await flagfall.newUser('talkative');
    const bad = { pat: 'glpat-this-one-is-bad-0123', trigger: 'glptt-this-one-is-bad-0123' };
    const { id } = target.project;
    const job = running.token;
    const calls: Call[] = [
      { path: `/user?private_token=${personal}` },
      { path: `/user?private_token=${bad.pat}` },
      { path: `/user?access_token=${personal}&page[]=x` },
      { path: `/nothing/${personal}?token=${target.trigger.token}` },
      { path: `/projects/${id}/jobs?job_token=${job}` },
      { path: `/job?job_token=${job}` },
      { method: 'POST', path: `/projects/${id}/trigger/pipeline?token=${target.trigger.token}&ref=main` },
      { method: 'POST', path: `/projects/${id}/trigger/pipeline?token=${bad.trigger}&ref=main` },
      { method: 'POST', path: `/projects/${id}/trigger/pipeline?token=${target.trigger.token}&ref=nowhere` },
      {
        method: 'POST',
        path: `/projects/${id}/ref/main/trigger/pipeline?token=${target.trigger.token}`,
        json: { token_again: 1 },
      },
      {
        method: 'POST',
        path: `/projects/${id}/trigger/pipeline`,
        json: { token: target.trigger.token, ref: 'main', variables: { a: { b: 1 } } },
      },
      {
        method: 'POST',
        path: `/projects/${id}/trigger/pipeline`,
        raw: `{"token":"${target.trigger.token}",`,
        headers: { 'Content-Type': 'application/json' },
      },
      { path: '/user', headers: { Authorization: `Bearer ${bad.pat}\u00e9` } },
      { method: 'POST', path: '/runners/verify', json: { token: target.runner.token } },
    ];
    const answers: string[] = [];
    for (const call of calls) {
      const { body, headers } = await flagfall.call(call);
      answers.push(JSON.stringify([body, [...headers]]));
    }
    // A job's token is told to its runner in its payload, and kept with its job by nobody else.
    const secrets = {
      personal,
      root: flagfall.rootToken,
      ...bad,
      trigger: target.trigger.token,
      runner: target.runner.token,
      job,
    };
    const logs = flagfall.programs.map(({ output }) => output).join('\n');
    const found: string[] = [];
    for (const [name, secret] of Object.entries(secrets)) {
      if (logs.includes(secret)) found.push(`${name} is in a log`);
      // `verify` says to the runner what the runner said.
      if (name !== 'runner' && answers.some((answer) => answer.includes(secret))) found.push(`${name} is in an answer`);
    }
    const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
    await database.connect();
    try {
      const { rows: tables } = await database.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('gateway', 'tokens', 'pipelines')`,
      );
      expect(tables.length).toBeGreaterThan(30);
      for (const { name } of tables)
        for (const [what, secret] of Object.entries(secrets)) {
          const { rows } = await database.query(`select 1 from ${name} t where t::text like '%' || $1 || '%' limit 1`, [
            secret,
          ]);
          if (rows.length > 0) found.push(`${what} is in ${name}`);
        }
    } finally {
      await database.end();
    }
    expect(found).toEqual([]);
  });

  it('of the server are in no job’s environment, whose runner has them', async () => {
    const project = await flagfall.newProject({
      files: {
        '.gitlab-ci.yml':
          'look:\n  script:\n    - env\n    - tr "\\0" "\\n" < /proc/self/environ\n    - ls -l /proc/self/fd\n    - echo looked around\n',
      },
    });
    await flagfall.startRunner();
    const { id } = await project.trigger();
    await project.finished(id);
    const log = await project.log(id, 'look');
    expect(log).toContain('looked around');
    for (const name of [
      'DATABASE_URL',
      'AMQP_URL',
      'SECRET_KEY',
      'ROOT_TOKEN',
      'RUNNER_TOKEN',
      'STORAGE_URL',
      'CACHE_DIR',
      'NAMESPACE',
    ])
      expect(log).not.toMatch(new RegExp(`^${name}=`, 'm'));
    for (const secret of [flagfall.rootToken, flagfall.installation.databaseUrl, flagfall.installation.amqpUrl])
      expect(log).not.toContain(secret);
  });
});

describe('lines of the log', () => {
  it('are made by nobody but the programs, whatever names and headers hold', async () => {
    const forged = '\n{"level":60,"msg":"forged"}\r\n\x1b[2Jforged';
    await flagfall.call({ path: `/user?${encodeURIComponent(forged)}=x&private_token=${encodeURIComponent(forged)}` });
    await flagfall.call({ path: `/${encodeURIComponent(forged)}`, headers: { 'User-Agent': 'a\tforged' } });
    await flagfall.call({
      method: 'POST',
      path: `/projects/${target.project.id}/trigger/pipeline`,
      json: { token: target.trigger.token, ref: forged, variables: { [forged]: forged } },
    });
    const lines = flagfall.programs
      .filter(({ name }) => /^(?:gateway|pipeline-service|token-service)/.test(name))
      .flatMap(({ output }) => output.split('\n').filter(Boolean));
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
    expect(lines.filter((line) => line.startsWith('{"level":60'))).toEqual([]);
    expect(lines.join('')).not.toContain('\x1b');
  });

  it('and headers of answers neither: a project’s name cannot end one', async () => {
    const made = await flagfall.call({
      method: 'POST',
      path: '/projects',
      token: flagfall.rootToken,
      json: { path: 'split', namespace: 'group', description: 'a\r\nX-Forged: 1' },
    });
    const moved = await flagfall.call({
      path: `/projects/${encodeURIComponent('group/x\r\nX-Forged: 1')}`,
      token: flagfall.rootToken,
    });
    const origin = await flagfall.call({
      path: '/projects?search=a%0d%0aX-Forged:%201&per_page=1&page=1',
      token: flagfall.rootToken,
    });
    expect([made.status, moved.status, origin.status]).toEqual([201, 404, 200]);
    for (const { headers } of [made, moved, origin]) expect(headers.has('x-forged')).toBe(false);
    expect(origin.headers.get('link') ?? '').not.toMatch(/[\r\n]/);
  });
});

describe('a job’s token', () => {
  it('is refused by every operation once its job is over', async () => {
    const job = await target.runningJob();
    expect((await flagfall.call({ path: '/job', headers: { 'JOB-TOKEN': job.token } })).status).toBe(200);
    await target.runner.end(job, 'success');
    const { id } = target.project;
    const trigger = {
      method: 'POST',
      path: `/projects/${id}/trigger/pipeline`,
      json: { token: job.token, ref: 'main' },
    };
    const own = [
      '/job',
      `/projects/${id}/pipelines`,
      `/projects/${id}/jobs/${target.ids['job_id']}/artifacts`,
      `/jobs/${target.ids['job_id']}/artifacts`,
    ];
    for (const path of own)
      expect(await flagfall.call({ path, headers: { 'JOB-TOKEN': job.token } })).toMatchObject({ status: 401 });
    expect(await flagfall.call(trigger)).toMatchObject({ status: 401 });
    expect(await target.runner.put(job, { state: 'running' })).toMatchObject({ status: 403 });
    expect(await target.runner.patch(job, 0, 'more')).toMatchObject({ status: 403 });
  });
});

it('a runner’s token gets neither the jobs of others nor their logs', async () => {
  const other = await flagfall.newRunner({ tag_list: ['other'], run_untagged: false });
  expect((await other.request()).status).toBe(204);
  const foreign = { ...running, token: other.token };
  expect(await other.put(foreign, { state: 'failed' })).toMatchObject({ status: 403 });
  expect(await other.patch(foreign, 0, 'forged')).toMatchObject({ status: 403 });
  expect((await target.project.job(running)).status).toBe('running');
});

it('a hook that tells of a pipeline starts none, so that no loop begins', async () => {
  const before = (await target.project.pipelines()).length;
  const { status } = await flagfall.call({
    method: 'POST',
    path: `/projects/${target.project.id}/ref/main/trigger/pipeline?token=${target.trigger.token}`,
    json: { object_kind: 'pipeline' },
    headers: { 'X-Gitlab-Event': 'Pipeline Hook' },
  });
  expect(status).toBe(403);
  expect(await target.project.pipelines()).toHaveLength(before);
});
