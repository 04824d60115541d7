import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import pg from 'pg';
import { root, say } from '../prepare.mjs';

const projects = 20;
/** The default of event handlers. */
const retryDelaysMs = [1_000, 5_000, 30_000, 120_000];

/** Three jobs in three stages, one of them only with a variable. */
const config = `stages: [test, build, package]
run_tests: {script: [make test]}
build_package: {stage: build, script: [make build]}
upload_package:
  stage: package
  script: ['if [ -n "\${UPLOAD_TO_S3}" ]; then make upload; fi']
`;

/**
 * All services as processes of their own, in a database and a namespace of their own on a running PostgreSQL and RabbitMQ, with projects to trigger.
 * `stop` leaves nothing behind.
 */
export class BenchInstallation {
  constructor() {
    this.id = `bench${randomBytes(4).toString('hex')}`;
    this.servers = {
      database: process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
      amqp: process.env.TEST_AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672',
    };
    this.home = mkdtempSync(join(tmpdir(), 'flagfall-bench-'));
    this.processes = [];
    this.rootToken = `glpat-${randomBytes(20).toString('hex')}`;
    this.basePort = 20_000 + (process.pid % 10_000);
    this.url = `http://127.0.0.1:${this.basePort}`;
  }

  /** @param more environment of each service: a function of its name */
  async start(more = () => ({})) {
    await this.sql(this.servers.database, `create database ${this.id}`);
    const url = new URL(this.servers.database);
    url.pathname = `/${this.id}`;
    this.environment = {
      ...process.env,
      DATABASE_URL: url.href,
      AMQP_URL: this.servers.amqp,
      NAMESPACE: this.id,
      SECRET_KEY: randomBytes(32).toString('hex'),
      EXTERNAL_URL: this.url,
      PORT: String(this.basePort),
      HOST: '127.0.0.1',
      ROOT_TOKEN: this.rootToken,
      CACHE_DIR: join(this.home, 'cache'),
      STORAGE_URL: join(this.home, 'storage'),
      REPOSITORY_SCHEMES: 'file',
      LOG_LEVEL: 'info',
      BENCH_DATABASE_URL: url.href,
      BENCH_AMQP_URL: this.servers.amqp,
      BENCH_NAMESPACE: this.id,
    };
    say('starting the services …');
    this.pids = {};
    for (const service of ['token-service', 'pipeline-service', 'gateway'])
      this.pids[service] = this.spawn(service, [`dist/apps/${service}/src/main.js`], more(service)).pid;
    await until(async () => (await fetch(`${this.url}/-/readiness`)).ok, 60);
    say(`making ${projects} projects with local bare repositories …`);
    /** What to send, in turn. */
    this.requests = [];
    for (let number = 1; number <= projects; number++) this.requests.push(await this.project(number));
  }

  async project(number) {
    const work = join(this.home, `work${number}`);
    const bare = join(this.home, `app${number}.git`);
    mkdirSync(work);
    writeFileSync(join(work, '.gitlab-ci.yml'), config);
    const git = (...args) =>
      execFileSync('git', ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.com', '-C', work, ...args], {
        stdio: 'ignore',
      });
    git('init', '-b', 'main');
    git('add', '-A');
    git('commit', '-m', 'Add the configuration');
    git('clone', '--bare', '.', bare);
    const { id } = await this.api('POST', 'projects', { path: `app${number}`, namespace: 'bench', import_url: bare });
    const { token } = await this.api('POST', `projects/${id}/triggers`, { description: 'bench' });
    const body = new URLSearchParams({
      token,
      ref: 'main',
      'variables[UPLOAD_TO_S3]': 'true',
      'variables[NUMBER]': String(number),
    });
    return { path: `/api/v4/projects/${id}/trigger/pipeline`, body: String(body) };
  }

  async api(method, path, body) {
    const answer = await fetch(`${this.url}/api/v4/${path}`, {
      method,
      headers: { 'PRIVATE-TOKEN': this.rootToken, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Everything that was answered is there, once; what was under way at the end is waited for. */
  async audit() {
    const unsettled = `select count(*)::int as count from gateway.trigger_requests where state = 'accepted'`;
    await until(async () => (await this.sql(this.environment.DATABASE_URL, unsettled))[0].count === 0, 60);
    const [row] = await this.sql(
      this.environment.DATABASE_URL,
      `select (select count(*) from gateway.trigger_requests where state = 'created')::int as created,
              (select count(*) from gateway.trigger_requests where state not in ('created', 'accepted'))::int as others,
              (select count(distinct request_id) from pipelines.pipelines)::int as requests,
              (select count(*) from pipelines.pipelines)::int as pipelines,
              (select count(*) from pipelines.jobs)::int as jobs`,
    );
    console.log(
      `\n${row.pipelines} pipelines of ${row.requests} requests, ${row.jobs} jobs; ${row.created} settled as created, ${row.others} otherwise`,
    );
    return row;
  }

  spawn(name, args, more = {}) {
    const log = openSync(join(this.home, `${name.replace(/\W/g, '-')}.log`), 'a');
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...this.environment, ...more },
      stdio: ['ignore', log, log],
    });
    this.processes.push(child);
    child.on('exit', (code) => {
      if (!this.stopping) console.error(`${name} ended with ${code}; its log is in ${this.home}`);
    });
    return child;
  }

  async sql(url, statement) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(statement)).rows;
    } finally {
      await client.end();
    }
  }

  async stop() {
    this.stopping = true;
    await endAll(this.processes, 15_000);
    await this.sql(this.servers.database, `drop database if exists ${this.id} with (force)`).catch((error) =>
      console.error(error.message),
    );
    await removeQueues(this.servers.amqp, this.id, this.home);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Ends processes, those that were started last first, and by force what has not ended after `limitMs`. */
export async function endAll(processes, limitMs) {
  const ended = processes.map(
    (child) => new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve())),
  );
  for (const child of processes.toReversed()) child.kill('SIGTERM');
  await Promise.race([Promise.all(ended), delay(limitMs)]);
  for (const child of processes) child.kill('SIGKILL');
}

/**
 * Takes what services made from the broker. They say in their logs which messages they handle; their queues are named after these.
 * @param home where their logs are
 */
export async function removeQueues(amqp, namespace, home) {
  const { durableQueues, exchangesOf } = await import('../../dist/libs/messaging/src/rabbit-topology.js');
  const logs = readdirSync(home).filter((name) => name.endsWith('.log'));
  const text = logs.map((name) => readFileSync(join(home, name), 'utf8')).join('\n');
  const connection = await amqplib.connect(amqp);
  const channel = await connection.createChannel();
  for (const [, service, type] of text.matchAll(/"msg":"([\w-]+) handles ([\w.-]+)/g))
    for (const queue of durableQueues(`${namespace}.${service}.${type}`, retryDelaysMs))
      await channel.deleteQueue(queue);
  for (const exchange of Object.values(exchangesOf(namespace))) await channel.deleteExchange(exchange);
  await connection.close();
}

/** Asks again every `everyMs` until something has happened. @throws Error after the limit */
export async function until(happened, limitSeconds, everyMs = 200) {
  const end = Date.now() + limitSeconds * 1000;
  for (;;) {
    const answer = await Promise.resolve()
      .then(happened)
      .catch(() => false);
    if (answer) return;
    if (Date.now() > end) throw new Error('waited too long');
    await delay(everyMs);
  }
}
