// needs: rabbitmq, postgresql
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { type Audit, audit } from '../promises/audit.js';
import type { Ask, Told } from '../promises/calls.js';
import { SteadyLoad } from '../promises/steady-load.js';
import { watchedWork, type WorkAudit, Witness } from '../promises/witness.js';
import { startsFlagfall } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';
import type { Program } from '../testing/program.js';
import { random } from './random.js';

const rounds = Number(process.env.FAULTS_ROUNDS ?? 3);
/** Among all other tests always the same faults, so that a change that has nothing to do with them does not meet new ones. */
const seed = Number(process.env.FAULTS_SEED ?? 76_358);
const perSecond = Number(process.env.FAULTS_RATE ?? 100);
/** Longer than whoever waits: a caller for the outcome (8 s), a service for another one (8 s) and for the database (10 s). */
const frozenMs = 12_000;
const longestAwayMs = 2_000;
const longestRoundMs = 900_000;

const kinds = ['killed', 'frozen', 'restarted'] as const;
const victims = ['gateway', 'token service', 'pipeline service', 'runner', 'RabbitMQ', 'PostgreSQL'] as const;

interface Round {
  name: string;
  victim: (typeof victims)[number];
  kind: (typeof kinds)[number];
  replica: 0 | 1;
  /** Pipelines before the fault, and milliseconds after them. */
  after: number;
  afterMs: number;
  awayMs: number;
}

/** Every fault to everyone in random order, again and again; the same for the same seed. */
function planRounds(): Round[] {
  const next = random(seed);
  const upTo = (limit: number) => Math.floor(next() * limit);
  let deck: Pick<Round, 'victim' | 'kind'>[] = [];
  return Array.from({ length: rounds }, (_, index) => {
    if (deck.length === 0) deck = victims.flatMap((victim) => kinds.map((kind) => ({ victim, kind })));
    const [{ victim, kind } = deck[0]!] = deck.splice(upTo(deck.length), 1);
    const replica = upTo(2) === 0 ? 0 : 1;
    const times = { after: 20 + upTo(80), afterMs: upTo(500), awayMs: upTo(longestAwayMs) };
    const isServer = victim === 'RabbitMQ' || victim === 'PostgreSQL';
    const name = `${index + 1}: ${isServer ? victim : `${victim} ${replica + 1}`} is ${kind}`;
    return { name, victim, kind, replica, ...times };
  });
}

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])(`faults under load, FAULTS_SEED=${seed}`, () => {
  const flagfall = startsFlagfall({
    name: 'chaos',
    ownServers: true,
    gateways: 2,
    tokenServices: 2,
    pipelineServices: 2,
  });
  const allTold: Told[] = [];
  const survived: string[] = [];
  let work: WorkAudit = { ran: 0, succeeded: 0, failed: 0, hintsLost: 0, poisoned: 0 };
  let asks: Ask[];
  let runners: Program[];
  let witness: Witness;

  beforeAll(async () => {
    const ranFile = join(flagfall.installation.directory, 'ran');
    witness = await Witness.of(flagfall, ranFile);
    // One pipeline in fifty runs; more jobs than that a machine with two cores cannot run besides. At any moment some do.
    const config = watchedWork(ranFile, 'sleep 1.5');
    const triggers = [];
    for (let made = 0; made < 2; made++)
      triggers.push(await flagfall.newTrigger(await flagfall.newProject({ files: { '.gitlab-ci.yml': config } })));
    const [one, other] = triggers as [Ask, Ask];
    // An odd number, so that each gateway is asked for each.
    asks = Array.from({ length: 21 }, (_, index) => (index % 2 === 0 ? one : other));
    asks[5] = { ...one, ref: 'nowhere', wrong: true };
    asks[15] = { ...other, token: `glptt-${'0'.repeat(40)}`, wrong: true };
    runners = await Promise.all(
      flagfall.installation.urls.map((url) =>
        flagfall.startRunner({ concurrency: 4, environment: { RUNNER_URL: url } }),
      ),
    );
  });

  function programOf({ victim, replica }: Round): Program {
    const { gateways, tokenServices, pipelineServices, broker, database } = flagfall.installation;
    const programs: Record<Round['victim'], Program | undefined> = {
      gateway: gateways[replica],
      'token service': tokenServices[replica],
      'pipeline service': pipelineServices[replica],
      runner: runners[replica],
      RabbitMQ: broker?.program,
      PostgreSQL: database?.program,
    };
    return programs[victim]!;
  }

  async function strike(round: Round): Promise<void> {
    const program = programOf(round);
    if (round.kind === 'frozen') {
      program.freeze();
      await pass(frozenMs);
      program.thaw();
      return;
    }
    if (round.kind === 'restarted') await program.end(round.victim === 'PostgreSQL' ? 'SIGINT' : 'SIGTERM');
    else if (round.victim === 'PostgreSQL') await program.killTree();
    else await program.kill();
    await pass(round.awayMs);
    await program.start();
  }

  it.each(planRounds())(
    '$name',
    async (round) => {
      const began = performance.now();
      const load = new SteadyLoad(flagfall.installation.urls, asks, perSecond);
      try {
        await load.creates(round.after);
        await witness.poison();
        await pass(round.afterMs);
        await strike(round);
        await load.creates(50);
      } finally {
        await load.stop();
        allTold.push(...load.told);
      }
      await audit(flagfall, load.told);
      const before = work;
      work = await witness.audit();
      survived.push(`${round.victim} ${round.kind}`);
      const slowest = Math.max(...load.told.map(({ tookMs }) => tookMs));
      const seconds = (performance.now() - began) / 1000;
      process.stdout.write(
        `round ${round.name}: ${load.rate.toFixed(0)} calls/s, the slowest answer after ${(slowest / 1000).toFixed(1)} s, ${statusesOf(load.told)}; ${told(work)}; ${seconds.toFixed(0)} s\n`,
      );
      expectRefusals(load.told);
      // Gateways keep requests without anyone but the database; and whoever is well loses no job and no hint, whatever happens to others.
      if (round.victim !== 'gateway' && round.victim !== 'PostgreSQL') expectAnswers(load.told);
      if (round.victim !== 'runner' || round.kind !== 'killed') expect(work.failed).toBe(before.failed);
      if (['gateway', 'token service', 'runner'].includes(round.victim)) expect(work.hintsLost).toBe(before.hintsLost);
    },
    longestRoundMs,
  );

  /** Later faults may do something to earlier requests. */
  it(
    'in the end everything is still as callers were told',
    async () => {
      const sums = await audit(flagfall, allTold);
      await witness.audit();
      const faults = [...new Set(survived)];
      process.stdout.write(
        `\nFAULTS_SEED=${seed}: ${survived.length} faults of ${faults.length} kinds (of ${kinds.length * victims.length}) survived, ${allTold.length} requests audited: ${told(sums)}; ${told(work)}\n`,
      );
      expect(survived).toHaveLength(rounds);
    },
    longestRoundMs,
  );
});

/** None but wrong calls are refused, each as GitLab does it: a ref that does not exist with 400, a token with 404. */
function expectRefusals(calls: readonly Told[]): void {
  const refused = calls.filter(({ status }) => ![201, 202, 503, undefined].includes(status));
  expect(refused.filter(({ wrong, status }) => !wrong || ![400, 404].includes(status ?? 0))).toEqual([]);
}

/** Everybody is told what became of the call. */
function expectAnswers(calls: readonly Told[]): void {
  const unknown = calls.filter(({ status }) => status === undefined || status === 503);
  expect(unknown.map(({ number, status, body, tookMs }) => ({ number, status, body, tookMs }))).toEqual([]);
}

function statusesOf(calls: readonly Told[]): string {
  const statuses = calls.map(({ status }) => String(status ?? 'no answer')).sort();
  return [...new Set(statuses)]
    .map((status) => `${status} × ${statuses.filter((each) => each === status).length}`)
    .join(', ');
}

function told(sums: Audit | WorkAudit): string {
  return Object.entries(sums)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
