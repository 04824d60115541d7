// needs: rabbitmq, postgresql
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { type Audit, audit, auditWork, recordStatuses } from '../promises/audit.js';
import { SteadyLoad } from '../promises/steady-load.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';
import type { Program } from '../testing/program.js';

const rounds = Number(process.env.FAULTS_ROUNDS ?? 3);
/** Among all other tests always the same faults, so that a change that has nothing to do with them does not meet new ones. */
const seed = Number(process.env.FAULTS_SEED ?? 76_358);
const perSecond = Number(process.env.FAULTS_RATE ?? 100);
/** Longer than whoever waits: a caller for the outcome (8 s), a service for another one (8 s) and for the database (10 s). */
const frozenMs = 12_000;
const longestAwayMs = 2_000;
const longestRoundMs = 400_000;

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

/** Mulberry32: numbers from 0 to 1 that are the same for the same seed. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])(`faults under load, FAULTS_SEED=${seed}`, () => {
  const flagfall = startsFlagfall({
    name: 'chaos',
    ownServers: true,
    gateways: 2,
    tokenServices: 2,
    pipelineServices: 2,
  });
  const sums: Audit & { survived: number; jobs: number } = {
    survived: 0,
    jobs: 0,
    created: 0,
    accepted: 0,
    refused: 0,
    unknown: 0,
  };
  let trigger: Trigger;
  let runners: Program[];
  let ranFile: string;

  beforeAll(async () => {
    ranFile = join(flagfall.installation.directory, 'ran');
    await recordStatuses(flagfall);
    // One pipeline in fifty runs; more jobs than that a machine with two cores cannot run besides.
    const config = `
work:
  variables: { GIT_STRATEGY: none }
  script: ['echo $CI_JOB_ID >> ${ranFile}', 'sleep 0.3']
  rules:
    - if: $NUMBER =~ /[27]0$/
    - when: manual
`;
    const app = await flagfall.newProject({ files: { '.gitlab-ci.yml': config } });
    trigger = await flagfall.newTrigger(app);
    runners = await Promise.all(
      flagfall.installation.urls.map((url) =>
        flagfall.startRunner({ concurrency: 4, environment: { RUNNER_URL: url } }),
      ),
    );
  });

  afterAll(() => process.stdout.write(`\nFAULTS_SEED=${seed}: ${JSON.stringify(sums)}\n`));

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
      const load = new SteadyLoad(flagfall.installation.urls, trigger, perSecond);
      try {
        await load.creates(round.after);
        await pass(round.afterMs);
        await strike(round);
        await load.creates(50);
      } finally {
        await load.stop();
      }
      const told = await audit(flagfall, load.told);
      const jobs = await auditWork(flagfall, ranFile);
      expect(told.refused).toBe(0);
      for (const kind of ['created', 'accepted', 'refused', 'unknown'] as const) sums[kind] += told[kind];
      sums.survived++;
      sums.jobs = jobs.ran;
      process.stdout.write(
        `round ${round.name}: ${load.rate.toFixed(0)} calls/s, ${JSON.stringify(told)}, jobs ${JSON.stringify(jobs)}\n`,
      );
    },
    longestRoundMs,
  );
});
