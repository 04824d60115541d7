#!/usr/bin/env node
// The operator's command: starts everything in one process, tells what is wrong, and deals with what services gave up on.
import { existsSync } from 'node:fs';

const usage = `flagfall start       everything in one process, with what it keeps in DATA_DIR (./data); as \`npm start\`
flagfall parked …    what services gave up on: list, show, replay, drop
flagfall doctor      what is wrong with an installation, and what to do about it; ends with 1 when something is`;

const commands = {
  start: () => import('./start.mjs'),
  parked: async (words) => {
    const { run } = await import('./parked.mjs');
    process.exitCode = await run(words);
  },
  doctor,
};

/** In the image everything is built, and there is nothing to build it with. */
async function doctor() {
  const program = new URL('../dist/apps/doctor/src/main.js', import.meta.url);
  if (!existsSync(program)) (await import('./prepare.mjs')).prepare();
  await import(program);
}

const [command, ...words] = process.argv.slice(2);
if (Object.hasOwn(commands, command ?? '')) await commands[command](words);
else {
  console.error(usage);
  process.exitCode = 64;
}
