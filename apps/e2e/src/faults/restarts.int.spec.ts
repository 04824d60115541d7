// needs: rabbitmq, postgresql
import { join } from 'node:path';
import { audit } from '../promises/audit.js';
import { SteadyLoad } from '../promises/steady-load.js';
import { watchedWork, Witness } from '../promises/witness.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import { describeWith } from '../testing/installed.js';
import { postgresqlPrograms, rabbitmqPrograms } from '../testing/own-servers.js';
import type { Program } from '../testing/program.js';
import { random } from './random.js';

/** A round restarts everything once. FAULTS_ROUNDS counts single faults, of which there are as many as programs in a round. */
const rounds = Math.ceil(Number(process.env.FAULTS_ROUNDS ?? 1) / 8);
const seed = Number(process.env.FAULTS_SEED ?? 76_358);
const perSecond = 30;
const longestRoundMs = 400_000;

/** As a machine's own restart does, or an upgrade: everything ends in good order, one after the other or several at once, and comes back in another order. */
describeWith([postgresqlPrograms, rabbitmqPrograms, ['epmd']])(`everything starts anew, FAULTS_SEED=${seed}`, () => {
  const flagfall = startsFlagfall({ name: 'restarts', ownServers: true, gateways: 2, pipelineServices: 2 });
  const next = random(seed);
  let trigger: Trigger;
  let runner: Program;
  let witness: Witness;

  beforeAll(async () => {
    const ranFile = join(flagfall.installation.directory, 'ran');
    witness = await Witness.of(flagfall, ranFile);
    const config = watchedWork(ranFile);
    trigger = await flagfall.newTrigger(await flagfall.newProject({ files: { '.gitlab-ci.yml': config } }));
    runner = await flagfall.startRunner({ concurrency: 2 });
  });

  function shuffled(programs: readonly Program[]): Program[] {
    const left = [...programs];
    return programs.map(() => left.splice(Math.floor(next() * left.length), 1)[0] as Program);
  }

  async function restartAll(): Promise<void> {
    const { gateways, tokenServices, pipelineServices, broker, database } = flagfall.installation;
    const servers = [broker?.program, database?.program] as Program[];
    const programs = [...gateways, ...tokenServices, ...pipelineServices, runner, ...servers];
    const [down, up] = [shuffled(programs), shuffled(programs)];
    process.stdout.write(
      `down: ${down.map(({ name }) => name).join(', ')}; up: ${up.map(({ name }) => name).join(', ')}\n`,
    );
    // PostgreSQL waits for its clients on SIGTERM, and for nobody on SIGINT.
    for (const program of down) await program.end(program === database?.program ? 'SIGINT' : 'SIGTERM');
    // Whoever needs another one waits for it, so nobody is waited for here before all have been started.
    await Promise.all(up.map((program) => program.start()));
  }

  it.each(Array.from({ length: rounds }, (_, index) => index + 1))(
    'round %i: nothing is lost, nothing doubled',
    async () => {
      const load = new SteadyLoad(flagfall.installation.urls, [trigger], perSecond);
      try {
        await load.creates(30);
        await restartAll();
        await load.creates(30);
      } finally {
        await load.stop();
      }
      const told = await audit(flagfall, load.told);
      expect(told.refused).toBe(0);
      const jobs = await witness.audit();
      process.stdout.write(`${JSON.stringify(told)}, jobs ${JSON.stringify(jobs)}\n`);
    },
    longestRoundMs,
  );
});
