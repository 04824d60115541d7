// What `npm run test:faults` and `npm run test:abuse` run: suites of which `npm test` runs the beginning only, at length and with another seed each time.
// FAULTS_SEED and FUZZ_SEED repeat a run; FAULTS_ROUNDS, FAULTS_RATE (calls each second) and FUZZ_CALLS size it. Further arguments go to Jest.
import { randomInt } from 'node:crypto';

const seed = String(randomInt(2 ** 31));
const lengths = {
  faults: { FAULTS_ROUNDS: '20', FAULTS_SEED: seed },
  abuse: { FUZZ_CALLS: '10000', FUZZ_SEED: seed },
};
const [suites, ...more] = process.argv.slice(2);
for (const [name, value] of Object.entries(lengths[suites])) process.env[name] ??= value;
process.argv.splice(2, Infinity, `apps/e2e/src/${suites}/`, ...more);
// In this process: whoever ends it ends the run.
await import('./test.mjs');
