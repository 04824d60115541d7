// What `npm start` runs: from a fresh clone to a running Flagfall. The server runs in this very process, so signals and the exit code are its own.
import { prepare } from './prepare.mjs';

prepare();
await import('../dist/apps/standalone/src/main.js');
