// What `npm run check` runs: every static check, all of them even when one fails. Arguments name the ones to run.
import { spawnSync } from 'node:child_process';
import { root } from './prepare.mjs';

const all = ['check:format', 'typecheck', 'lint', 'check:imports', 'check:unused'];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all;

const failed = wanted.filter((script) => {
  const began = Date.now();
  const { status } = spawnSync('npm', ['run', '--silent', script], { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${script} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  return status !== 0;
});
if (failed.length > 0) console.log(`\nStatic checks failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
