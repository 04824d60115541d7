// What `npm run screenshots` runs: pictures of every page, light and dark, wide and narrow, for whoever changes one to look at.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, say } from './prepare.mjs';

const directory = join(root, 'data/screenshots');
const { status } = spawnSync(
  process.execPath,
  [join(root, 'bin/test.mjs'), 'apps/e2e/src/pages/every-page', '--silent'],
  {
    cwd: root,
    env: { ...process.env, SCREENSHOTS: directory },
    stdio: 'inherit',
  },
);
say(`the pictures are in ${directory}`);
process.exitCode = status ?? 1;
