import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { root, say } from '../prepare.mjs';
import { endAll, removeQueues, until } from './installation.mjs';
import { median } from './load.mjs';

const samples = Number(process.env.BENCH_SAMPLES ?? 40);
const warmUp = Number(process.env.BENCH_WARM_UP ?? 15);
/** After a job the runner has some things to put away, and asks for the next. */
const idleMs = 150;
/** Which installations; both unless told. */
const kinds = (process.env.BENCH_INSTALLATIONS ?? 'npm start,services').split(',');
/** Waiting is over soon after what was waited for. */
const lookMs = 20;

/** bash itself says when it is there, without starting anything. */
const config = `
variables: { MARK: /dev/null }
.mark: { script: ['echo "$EPOCHREALTIME" > "$MARK"'] }
none: { extends: .mark, variables: { GIT_STRATEGY: none }, rules: [{ if: $WHICH == "none" }] }
clone: { extends: .mark, variables: { GIT_STRATEGY: clone }, rules: [{ if: $WHICH == "clone" }] }
fetch: { extends: .mark, rules: [{ if: $WHICH == "fetch" }] }
held: { script: [make], tags: [held], rules: [{ if: $WHICH == "held" }] }
`;

/**
 * `npm run bench -- latency`: how long it takes from a trigger to the first line of a job's script, and until a request for a job that is held is
 * answered, one after the other on an idle installation; beside what the same machine does meanwhile with less. Figures of one run compare.
 */
export async function run() {
  const home = mkdtempSync(join(tmpdir(), 'flagfall-latency-'));
  const repository = makeRepository(home);
  const rows = [];
  try {
    for (const kind of kinds) {
      const installation = new Installation(kind, join(home, kind.replace(/\W/g, '-')));
      try {
        await installation.start(repository);
        rows.push(...(await installation.measure()));
      } finally {
        await installation.stop();
      }
    }
    rows.push(...(await measureLess(home, repository)));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const load = loadavg()[0].toFixed(1);
  console.log(`\n${cpus().length} cores, load average ${load}, ${samples} samples each, milliseconds\n`);
  console.log('what | least | p50 | p90');
  for (const [what, values] of rows) {
    const sorted = [...values].sort((a, b) => a - b);
    const shown = [sorted[0], median(sorted), sorted[Math.floor(sorted.length * 0.9)]];
    console.log([what, ...shown.map((ms) => ms.toFixed(1))].join(' | '));
  }
}

/** A small one: twenty files, ten commits. */
function makeRepository(home) {
  const work = join(home, 'work');
  mkdirSync(work);
  const git = (...args) =>
    execFileSync('git', ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.com', '-C', work, ...args]);
  git('init', '--quiet', '-b', 'main');
  writeFileSync(join(work, '.gitlab-ci.yml'), config);
  for (let commit = 1; commit <= 10; commit += 1) {
    for (const part of [1, 2]) writeFileSync(join(work, `file${commit}.${part}`), randomBytes(500).toString('hex'));
    git('add', '--all');
    git('commit', '--quiet', '--message', `Commit ${commit}`);
  }
  const bare = join(home, 'app.git');
  git('clone', '--quiet', '--bare', '.', bare);
  return bare;
}

class Installation {
  constructor(kind, home) {
    this.kind = kind;
    this.home = home;
    this.id = `bench${randomBytes(4).toString('hex')}`;
    this.rootToken = `glpat-${randomBytes(20).toString('hex')}`;
    this.port = 20_000 + Math.floor(Math.random() * 10_000);
    this.url = `http://127.0.0.1:${this.port}`;
    this.processes = [];
    this.marks = 0;
    mkdirSync(home);
  }

  async start(repository) {
    say(`starting ${this.kind} …`);
    const environment = {
      PATH: process.env.PATH,
      HOME: this.home,
      PORT: String(this.port),
      HOST: '127.0.0.1',
      EXTERNAL_URL: this.url,
      ROOT_TOKEN: this.rootToken,
      SECRET_KEY: randomBytes(32).toString('hex'),
      REPOSITORY_SCHEMES: 'file,http',
      DATA_DIR: join(this.home, 'data'),
      DEMO: 'false',
      LOG_LEVEL: 'info',
    };
    if (this.kind === 'npm start') this.spawn('standalone', environment);
    else await this.startServices(environment);
    await until(async () => (await fetch(`${this.url}/-/readiness`)).ok, 60, lookMs);
    if (this.kind !== 'npm start') await this.startRunner(environment);
    const { id } = await this.api('POST', 'projects', { path: 'app', namespace: 'bench', import_url: repository });
    const { token } = await this.api('POST', `projects/${id}/triggers`, { description: 'bench' });
    this.project = id;
    this.trigger = token;
    this.runner = await this.api('POST', 'user/runners', {
      runner_type: 'instance_type',
      tag_list: 'held',
      run_untagged: false,
    });
  }

  async startServices(environment) {
    this.servers = {
      database: process.env.TEST_DATABASE_URL ?? 'postgres://postgres:postgres@127.0.0.1:5432/postgres',
      amqp: process.env.TEST_AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672',
    };
    await this.sql(`create database ${this.id}`);
    const url = new URL(this.servers.database);
    url.pathname = `/${this.id}`;
    Object.assign(environment, {
      DATABASE_URL: url.href,
      AMQP_URL: this.servers.amqp,
      NAMESPACE: this.id,
      CACHE_DIR: join(this.home, 'cache'),
      STORAGE_URL: join(this.home, 'storage'),
    });
    for (const service of ['token-service', 'pipeline-service', 'gateway']) this.spawn(service, environment);
  }

  async startRunner({ PATH, HOME }) {
    const { token } = await this.api('POST', 'user/runners', { runner_type: 'instance_type' });
    const builds = join(this.home, 'builds');
    this.spawn('runner', { PATH, HOME, RUNNER_URL: this.url, RUNNER_TOKEN: token, RUNNER_BUILDS_DIR: builds });
  }

  async measure() {
    const rows = [];
    for (const [which, what] of [
      ['none', 'first line, GIT_STRATEGY: none'],
      ['clone', 'first line, with a clone'],
      ['fetch', 'first line, with a fetch into the last copy'],
    ]) {
      say(`${this.kind}: ${what} …`);
      const taken = [];
      for (let number = -warmUp; number < samples; number += 1) {
        const value = await this.firstLine(which);
        if (number >= 0) taken.push(value);
      }
      rows.push([`${this.kind}: trigger to ${what}`, taken.map(({ line }) => line)]);
      if (which === 'none') rows.push([`${this.kind}: trigger to its answer`, taken.map(({ answer }) => answer)]);
    }
    say(`${this.kind}: held requests …`);
    const held = [];
    for (let number = -warmUp; number < samples; number += 1) {
      const value = await this.held();
      if (number >= 0) held.push(value);
    }
    rows.push([`${this.kind}: job there to held request answered`, held]);
    return rows;
  }

  /** From the trigger to the first line, and to the answer; meanwhile nobody else asks for anything. */
  async firstLine(which) {
    const mark = join(this.home, `mark${(this.marks += 1)}`);
    await delay(idleMs);
    const start = now();
    const { id } = await this.begin(which, { MARK: mark });
    const answer = now() - start;
    await until(() => existsSync(mark) && readFileSync(mark, 'utf8').endsWith('\n'), 20, lookMs);
    const line = Number(readFileSync(mark, 'utf8')) * 1000 - start;
    await until(
      async () => (await this.api('GET', `projects/${this.project}/pipelines/${id}`)).status === 'success',
      20,
      lookMs,
    );
    return { line, answer };
  }

  /** From the creation of the job, as its record tells it, to the answer to a request that was held before. */
  async held() {
    const body = JSON.stringify({ token: this.runner.token, system_id: 's_bench', info: {} });
    const headers = { 'Content-Type': 'application/json' };
    const request = fetch(`${this.url}/api/v4/jobs/request`, { method: 'POST', headers, body });
    // It has to be held by then.
    await delay(idleMs);
    await this.begin('held', {});
    const answer = await request;
    const end = now();
    if (answer.status !== 201) throw new Error(`the held request was answered ${answer.status}`);
    const job = await answer.json();
    const { created_at } = await this.api('GET', `projects/${this.project}/jobs/${job.id}`);
    const report = JSON.stringify({ token: job.token, state: 'success' });
    await fetch(`${this.url}/api/v4/jobs/${job.id}`, { method: 'PUT', headers, body: report });
    return end - Date.parse(created_at);
  }

  async begin(which, variables) {
    const form = new URLSearchParams({ token: this.trigger, ref: 'main', 'variables[WHICH]': which });
    for (const [key, value] of Object.entries(variables)) form.append(`variables[${key}]`, value);
    const answer = await fetch(`${this.url}/api/v4/projects/${this.project}/trigger/pipeline`, {
      method: 'POST',
      body: form,
    });
    if (answer.status !== 201) throw new Error(`a trigger was answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  async api(method, path, body) {
    const answer = await fetch(`${this.url}/api/v4/${path}`, {
      method,
      headers: { 'PRIVATE-TOKEN': this.rootToken, ...(body && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  spawn(app, env) {
    const log = openSync(join(this.home, `${app}.log`), 'a');
    const options = { cwd: root, env, stdio: ['ignore', log, log] };
    const child = spawn(process.execPath, [`dist/apps/${app}/src/main.js`], options);
    this.processes.push(child);
    child.on('exit', (code) => {
      if (!this.stopping)
        console.error(`${app} ended with ${code}: ${readFileSync(join(this.home, `${app}.log`), 'utf8')}`);
    });
  }

  async sql(statement) {
    const client = new pg.Client({ connectionString: this.servers.database });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  }

  async stop() {
    this.stopping = true;
    await endAll(this.processes, 20_000);
    if (!this.servers) return;
    await this.sql(`drop database if exists ${this.id} with (force)`);
    await removeQueues(this.servers.amqp, this.id, this.home);
  }
}

/** What no installation could do without. */
async function measureLess(home, repository) {
  const timed = async (work) => {
    const taken = [];
    for (let number = -warmUp; number < samples; number += 1) {
      const start = now();
      await work();
      if (number >= 0) taken.push(now() - start);
    }
    return taken;
  };
  const server = createServer((request, response) => request.resume().on('end', () => response.end('{}')));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const copy = join(home, 'copy');
  const git = (...args) => spawnSync('git', ['-C', copy, ...args], { stdio: 'ignore' });
  const rows = [
    ['a call to a bare HTTP server', await timed(async () => (await fetch(url, { method: 'POST', body: 'x' })).text())],
    [
      'bash started and ended',
      await timed(() => void spawnSync('bash', ['-c', 'echo "$EPOCHREALTIME"'], { stdio: 'ignore' })),
    ],
    [
      'git alone: init, fetch by path, checkout',
      await timed(() => {
        if (existsSync(copy)) rmSync(copy, { recursive: true });
        mkdirSync(copy);
        git('init', '--quiet');
        git('fetch', '--quiet', '--depth', '20', repository, 'main');
        git('checkout', '--quiet', '--detach', 'FETCH_HEAD');
      }),
    ],
  ];
  server.close();
  return rows;
}

/** Milliseconds since 1970, with fractions. */
function now() {
  return performance.timeOrigin + performance.now();
}
