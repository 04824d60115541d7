import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import pg from 'pg';
import { root, say } from '../prepare.mjs';
import { listenerOn, secondsOf, secondsOfChildren, secondsOfDatabase } from './cpu.mjs';
import { load, median } from './load.mjs';

const projects = 20;
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const seconds = Number(process.env.BENCH_SECONDS ?? 5);
/** Answers after which the programs are compiled and the statements planned. */
const warmUp = 12_000;
const connections = (process.env.BENCH_CONNECTIONS ?? '1,16,64,256').split(',').map(Number);
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
 * `npm run bench -- triggers`: triggers answered with 201 and everything created, through all services as processes of their own on real
 * RabbitMQ and PostgreSQL, beside what the same machine does at the same time with less. Figures of one run compare; those of two do not.
 */
export async function run() {
  const servers = {
    database: process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres',
    amqp: process.env.TEST_AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672',
  };
  const bench = new Bench(servers);
  try {
    await bench.start();
    await bench.measure();
  } finally {
    await bench.stop();
  }
}

class Bench {
  constructor(servers) {
    this.id = `bench${randomBytes(4).toString('hex')}`;
    this.servers = servers;
    this.home = mkdtempSync(join(tmpdir(), 'flagfall-bench-'));
    this.processes = [];
    this.backends = new Map();
    this.rootToken = `glpat-${randomBytes(20).toString('hex')}`;
    this.basePort = 20_000 + (process.pid % 10_000);
    this.url = `http://127.0.0.1:${this.basePort}`;
  }

  async start() {
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
    this.broker = listenerOn(Number(new URL(this.servers.amqp).port || 5672));
    this.pids = {};
    for (const service of ['token-service', 'pipeline-service', 'gateway'])
      this.pids[service] = this.spawn(service, [`dist/apps/${service}/src/main.js`]).pid;
    await until(async () => (await fetch(`${this.url}/-/readiness`)).ok, 60);
    say(`making ${projects} projects with local bare repositories …`);
    this.requests = [];
    for (let number = 1; number <= projects; number++) this.requests.push(await this.project(number));
    this.peers = {};
    for (const [index, kind] of ['nothing', 'row', 'confirm'].entries()) {
      const port = this.basePort + 1 + index;
      this.spawn(`peer ${kind}`, ['bin/bench/peer-server.mjs', kind, String(port)]);
      this.peers[kind] = `http://127.0.0.1:${port}`;
      await until(() => fetch(`http://127.0.0.1:${port}/`), 20);
    }
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

  async measure() {
    const kinds = [
      ['Fastify, nothing', this.peers.nothing],
      ['Fastify, one row committed', this.peers.row],
      ['Fastify, one publish confirmed', this.peers.confirm],
      ['Flagfall, pipeline created', this.url],
    ];
    say('warming up …');
    for (const [, url] of kinds)
      await load({ url, connections: 64, amount: warmUp, requests: this.requests, status: 201 });
    const samples = new Map();
    for (let round = 1; round <= rounds; round++) {
      for (const count of connections) {
        for (const [name, url] of kinds) {
          const before = this.cpu();
          const sample = await load({ url, connections: count, seconds, requests: this.requests, status: 201 });
          const key = `${name}|${count}`;
          samples.set(key, [...(samples.get(key) ?? []), { ...sample, cpu: subtract(this.cpu(), before) }]);
        }
      }
      say(`round ${round} of ${rounds} done`);
    }
    this.print(kinds, samples);
    await this.audit();
  }

  print(kinds, samples) {
    console.log(
      `\n${cpus().length} cores, load average ${loadavg()[0].toFixed(1)}, ${rounds} rounds of ${seconds} s each, medians\n`,
    );
    const of = (name, count, field) => median(samples.get(`${name}|${count}`).map((sample) => sample[field]));
    console.log(
      ['connections', ...kinds.map(([name]) => name), 'of a row', 'of a confirm', 'p50 ms', 'p99 ms', 'not 201'].join(
        ' | ',
      ),
    );
    for (const count of connections) {
      const rates = kinds.map(([name]) => of(name, count, 'perSecond'));
      const [, row, confirm, ours] = rates;
      const own = kinds[3][0];
      const others = samples.get(`${own}|${count}`).reduce((sum, sample) => sum + sample.others, 0);
      console.log(
        [
          count,
          ...rates.map((rate) => Math.round(rate)),
          `${Math.round((100 * ours) / row)} %`,
          `${Math.round((100 * ours) / confirm)} %`,
          of(own, count, 'p50'),
          of(own, count, 'p99'),
          others,
        ].join(' | '),
      );
    }
    console.log('\nCPU per trigger, milliseconds:');
    const parts = Object.keys(samples.get(`${kinds[3][0]}|${connections[0]}`)[0].cpu);
    console.log(['connections', ...parts, 'in all'].join(' | '));
    for (const count of connections) {
      const used = parts.map((part) =>
        median(
          samples
            .get(`${kinds[3][0]}|${count}`)
            .map(({ cpu, perSecond }) => (1000 * cpu[part]) / (perSecond * seconds)),
        ),
      );
      console.log([count, ...[...used, used.reduce((sum, one) => sum + one)].map((ms) => ms.toFixed(2))].join(' | '));
    }
  }

  /** Seconds of CPU so far. RabbitMQ's are those of all its users, its process being one for all. */
  cpu() {
    return {
      ...Object.fromEntries(Object.entries(this.pids).map(([name, pid]) => [name, secondsOf(pid)])),
      git: secondsOfChildren(this.pids['pipeline-service']),
      PostgreSQL: secondsOfDatabase(this.id, this.backends),
      RabbitMQ: this.broker ? secondsOf(this.broker) : 0,
    };
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
  }

  spawn(name, args) {
    const log = openSync(join(this.home, `${name.replace(/\W/g, '-')}.log`), 'a');
    const child = spawn(process.execPath, args, { cwd: root, env: this.environment, stdio: ['ignore', log, log] });
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
    const ended = this.processes.map(
      (child) => new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve())),
    );
    for (const child of this.processes.reverse()) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), delay(15_000)]);
    for (const child of this.processes) child.kill('SIGKILL');
    await this.sql(this.servers.database, `drop database if exists ${this.id} with (force)`).catch((error) =>
      console.error(error.message),
    );
    await this.removeQueues(
      readdirSync(this.home)
        .filter((name) => name.endsWith('.log'))
        .map((name) => readFileSync(join(this.home, name), 'utf8'))
        .join('\n'),
    );
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The services say in their logs which messages they handle; their queues are named after these. */
  async removeQueues(logs) {
    const { durableQueues, exchangesOf } = await import('../../dist/libs/messaging/src/rabbit-topology.js');
    const handled = logs.matchAll(/"msg":"([\w-]+) handles ([\w.-]+)/g);
    const connection = await amqplib.connect(this.servers.amqp);
    const channel = await connection.createChannel();
    for (const [, service, type] of handled)
      for (const queue of durableQueues(`${this.id}.${service}.${type}`, retryDelaysMs))
        await channel.deleteQueue(queue);
    for (const exchange of Object.values(exchangesOf(this.id))) await channel.deleteExchange(exchange);
    await connection.close();
  }
}

function subtract(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - before[name]]));
}

async function until(happened, limitSeconds) {
  const end = Date.now() + limitSeconds * 1000;
  for (;;) {
    const answer = await Promise.resolve()
      .then(happened)
      .catch(() => false);
    if (answer) return;
    if (Date.now() > end) throw new Error('waited too long');
    await delay(200);
  }
}
