import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../prepare.mjs';
import { BenchInstallation, until } from './installation.mjs';
import { load, median } from './load.mjs';

const minutes = Number(process.env.BENCH_MINUTES ?? 30);
const connections = Number(process.env.BENCH_CONNECTIONS ?? 64);
/** Triggers after which the programs are compiled and the statements planned. */
const warmUp = 6_000;
/** The first minutes do not count: heaps grow to what they need, caches fill. */
const settling = Math.min(5, Math.floor(minutes / 3));
const sampleMs = 5_000;
const pages = 5;
const mebibyte = 1024 * 1024;

/**
 * How much the trend over the minutes that count may make of the median: a share of it, or so much if that is more. What is beyond is a leak, or
 * something that old rows make slower.
 */
const allowed = { memory: { share: 0.1, least: 16 }, p50: { share: 0.25, least: 0.5 }, p99: { share: 0.5, least: 1 } };
/** Calls a second of a bare server that commits a row, beside which the latency is judged: on a machine that others use both take longer at once. */
const peerRate = 10;

/**
 * `npm run bench -- soak`: half the peak, which it measures first, for BENCH_MINUTES (30), with live pages open. Nothing is deleted meanwhile, so the
 * tables grow all the time. Latency is judged as a multiple of that of a bare server which commits one row, called at the same time. Ends with 1 unless memory and latency stayed flat and everything was created.
 */
export async function run() {
  const soak = new Soak();
  try {
    await soak.start();
    const flat = await soak.measure();
    process.exitCode = flat ? 0 : 1;
  } finally {
    await soak.stop();
  }
}

class Soak extends BenchInstallation {
  pages = new AbortController();

  async start() {
    const services = ['gateway', 'token-service', 'pipeline-service'];
    this.healthPorts = Object.fromEntries(services.map((name, index) => [name, this.basePort + 1 + index]));
    await super.start((service) => ({ HEALTH_PORT: String(this.healthPorts[service]) }));
    const port = this.basePort + 1 + services.length;
    this.peer = `http://127.0.0.1:${port}`;
    this.spawn('peer row', ['bin/bench/peer-server.mjs', 'row', String(port)]);
    await until(() => fetch(this.peer), 20);
  }

  async measure() {
    say('warming up, then measuring the peak …');
    const all = { url: this.url, connections, requests: this.requests, status: 201 };
    await load({ ...all, amount: warmUp });
    const peaks = [];
    for (let round = 1; round <= 3; round++) peaks.push((await load({ ...all, seconds: 10 })).perSecond);
    const peak = median(peaks);
    const rate = Math.max(1, Math.round(peak / 2));
    const [first] = await this.api('GET', 'projects?per_page=1');
    for (let page = 0; page < pages; page++) void this.watch(first.id);
    console.log(
      `\n${cpus().length} cores; peak ${Math.round(peak)} triggers a second with ${connections} connections, soaked with ${rate} for ${minutes} minutes\n`,
    );
    const columns = [
      'minute',
      'load',
      'answered',
      'not 201',
      'p50 ms',
      'p99 ms',
      'a row',
      'its p99',
      'unsettled',
      'queued',
      'outbox',
    ];
    console.log([...columns, ...Object.keys(this.pids).map((name) => `${name} MiB (heap)`), 'rows'].join(' | '));
    const samples = [];
    for (let minute = 1; minute <= minutes; minute++) samples.push(await this.minute(minute, { ...all, rate }));
    this.pages.abort();
    const { created, others, pipelines } = await this.audit();
    const refused = samples.reduce((sum, sample) => sum + sample.others, 0);
    const whole = others === 0 && pipelines === created && refused === 0;
    if (!whole) console.log(`NOT WHOLE: ${refused} answers were not 201, ${others} requests were settled otherwise`);
    return this.judge(samples.slice(settling)) && whole;
  }

  /** One minute of load, and how the services were in it. */
  async minute(number, options) {
    const over = new AbortController();
    const looks = [];
    const looking = (async () => {
      while (!over.signal.aborted) {
        looks.push(await this.look());
        await delay(sampleMs, undefined, { signal: over.signal }).catch(() => undefined);
      }
    })();
    const [{ perSecond, p50, p99, others }, row] = await Promise.all([
      load({ ...options, seconds: 60 }),
      load({ ...options, url: this.peer, connections: 2, rate: peerRate, seconds: 60 }),
    ]);
    over.abort();
    await looking;
    const of = (name) => looks.map((look) => look[name]);
    const memory = Object.fromEntries(Object.keys(this.pids).map((name) => [name, median(of(`${name} memory`))]));
    const sample = { p50: p50 / Math.max(1, row.p50), p99: p99 / Math.max(1, row.p99), others, memory };
    const shown = Object.entries(memory).map(
      ([name, mib]) => `${mib.toFixed(0)} (${Math.min(...of(`${name} heap`)).toFixed(0)})`,
    );
    const depths = ['unsettled', 'queued', 'outbox'].map((name) => median(of(name)));
    const { rows } = looks.at(-1);
    const speed = [`${Math.round(perSecond)}/s`, others, p50, p99, row.p50, row.p99];
    console.log([number, loadavg()[0].toFixed(1), ...speed, ...depths, ...shown, rows].join(' | '));
    return sample;
  }

  /** How much memory each process has, and what waits. */
  async look() {
    const look = { unsettled: 0, queued: 0, outbox: 0 };
    for (const [name, pid] of Object.entries(this.pids)) {
      look[`${name} memory`] = residentMib(pid);
      const text = await (await fetch(`http://127.0.0.1:${this.healthPorts[name]}/-/metrics`)).text();
      look[`${name} heap`] = sum(text, /^nodejs_heap_size_used_bytes (.*)$/gm) / mebibyte;
      look.queued += sum(text, /^flagfall_queue_messages\{.*state="waiting"\} (.*)$/gm);
      look.outbox += sum(text, /^flagfall_outbox_rows\{.*\} (.*)$/gm);
      look.unsettled += sum(text, /^flagfall_unsettled_triggers (.*)$/gm);
    }
    const [{ rows }] = await this.sql(
      this.environment.DATABASE_URL,
      `select sum(n_live_tup)::bigint as rows from pg_stat_user_tables`,
    );
    return { ...look, rows };
  }

  /** Says for each figure whether it stayed flat. @returns whether all did */
  judge(samples) {
    const figures = [
      ...Object.keys(this.pids).map((service) => ({
        name: `memory of ${service}, MiB`,
        values: samples.map(({ memory }) => memory[service]),
        bound: allowed.memory,
      })),
      { name: 'p50, times that of a row', values: samples.map(({ p50 }) => p50), bound: allowed.p50 },
      { name: 'p99, times that of a row', values: samples.map(({ p99 }) => p99), bound: allowed.p99 },
    ];
    console.log(`\nTrend over ${samples.length} minutes, the first ${settling} left out:`);
    const verdicts = figures.map(({ name, values, bound }) => {
      const middle = median(values);
      const growth = slope(values) * (values.length - 1);
      const limit = Math.max(bound.share * middle, bound.least);
      const flat = growth <= limit;
      console.log(
        `${flat ? 'flat' : 'GROWS'}: ${name}: median ${middle.toFixed(1)}, trend ${growth.toFixed(1)}, allowed ${limit.toFixed(1)}`,
      );
      return flat;
    });
    return verdicts.every(Boolean);
  }

  /** A live page that reads what it is told. */
  async watch(projectId) {
    try {
      const headers = { 'PRIVATE-TOKEN': this.rootToken, Accept: 'text/event-stream' };
      const answer = await fetch(`${this.url}/-/projects/${projectId}/live`, { headers, signal: this.pages.signal });
      await answer.body.pipeTo(new WritableStream());
    } catch (error) {
      if (!this.pages.signal.aborted) console.error(`a live page broke: ${error.message}`);
    }
  }
}

/** The trend for each step: the median of the slopes between any two values, which single outliers do not move (Theil and Sen). */
function slope(values) {
  const slopes = values.flatMap((value, index) =>
    values.slice(index + 1).map((later, steps) => (later - value) / (steps + 1)),
  );
  return slopes.length > 0 ? median(slopes) : 0;
}

function residentMib(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}
