// What `npm run test:abuse` runs: hostile callers and hostile input, at length; `npm test` runs the same suites with few calls of the fuzzer.
// FUZZ_SEED=… repeats a run, FUZZ_CALLS=… makes it longer. Arguments go to Jest.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { root } from './prepare.mjs';

const suites = ['apps/e2e/src/abuse/'];
const { status } = spawnSync(process.execPath, [join(root, 'bin/test.mjs'), ...suites, ...process.argv.slice(2)], {
  cwd: root,
  env: { FUZZ_CALLS: '10000', FUZZ_SEED: String(randomInt(2 ** 31)), ...process.env },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
