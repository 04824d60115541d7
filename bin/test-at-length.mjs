// What `npm run test:faults` and `npm run test:abuse` run: suites of which `npm test` runs the beginning only, at length and with another seed each time.
// FAULTS_SEED and FUZZ_SEED repeat a run; FAULTS_ROUNDS, FAULTS_RATE (calls each second) and FUZZ_CALLS size it. Further arguments go to Jest; those that are
// no options name the suites to run: npm run test:faults -- chaos
import { randomInt } from 'node:crypto';

const seed = String(randomInt(2 ** 31));
const lengths = {
  faults: { FAULTS_ROUNDS: '20', FAULTS_SEED: seed },
  abuse: { FUZZ_CALLS: '10000', FUZZ_SEED: seed },
};
const [suites, ...more] = process.argv.slice(2);
const names = more.filter((word) => /^\w/.test(word));
for (const [name, value] of Object.entries(lengths[suites])) process.env[name] ??= value;
// One suite at a time: together they would measure each other.
process.argv.splice(
  2,
  Infinity,
  '--runInBand',
  `apps/e2e/src/${suites}/(${names.join('|')})`,
  ...more.filter((word) => !names.includes(word)),
);
// In this process: whoever ends it ends the run.
await import('./test.mjs');
