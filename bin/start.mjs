// What `npm start` runs: from a fresh clone to a running Flagfall. The server runs in this very process, so signals and the exit code are its own.
import module from 'node:module';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
// From Node 22 on, a second start need not compile a thousand modules again.
module.enableCompileCache?.(join(root, 'dist/.compile-cache'));
await import('../dist/apps/standalone/src/main.js');
