import { cpus, loadavg } from 'node:os';
import { say } from '../prepare.mjs';
import { listenerOn, secondsOf, secondsOfChildren, secondsOfDatabase } from './cpu.mjs';
import { BenchInstallation, until } from './installation.mjs';
import { load, median } from './load.mjs';

const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const seconds = Number(process.env.BENCH_SECONDS ?? 5);
/** Answers after which the programs are compiled and the statements planned. */
const warmUp = 12_000;
const connections = (process.env.BENCH_CONNECTIONS ?? '1,16,64,256').split(',').map(Number);

/**
 * `npm run bench -- triggers`: triggers answered with 201 and everything created, through all services as processes of their own on real
 * RabbitMQ and PostgreSQL, beside what the same machine does at the same time with less. Figures of one run compare; those of two do not.
 */
export async function run() {
  const bench = new Bench();
  try {
    await bench.start();
    await bench.measure();
  } finally {
    await bench.stop();
  }
}

class Bench extends BenchInstallation {
  backends = new Map();

  async start() {
    await super.start();
    this.broker = listenerOn(Number(new URL(this.servers.amqp).port || 5672));
    this.peers = {};
    for (const [index, kind] of ['nothing', 'row', 'confirm'].entries()) {
      const port = this.basePort + 1 + index;
      this.spawn(`peer ${kind}`, ['bin/bench/peer-server.mjs', kind, String(port)]);
      this.peers[kind] = `http://127.0.0.1:${port}`;
      await until(() => fetch(`http://127.0.0.1:${port}/`), 20);
    }
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
}

function subtract(after, before) {
  return Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - before[name]]));
}
