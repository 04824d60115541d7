// What `npm run test:faults` runs: faults at random moments under load. FAULTS_SEED repeats a run; FAULTS_ROUNDS and FAULTS_RATE (calls each second) size it.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { root } from './prepare.mjs';

const { status } = spawnSync(
  process.execPath,
  [join(root, 'bin/test.mjs'), 'apps/e2e/src/faults', ...process.argv.slice(2)],
  {
    cwd: root,
    env: { FAULTS_ROUNDS: '20', FAULTS_SEED: String(randomInt(1_000_000)), ...process.env },
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
