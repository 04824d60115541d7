#!/usr/bin/env node
// The operator's command: starts everything in one process, tells what is wrong, and deals with what services gave up on.
const usage = `flagfall start       everything in one process, with what it keeps in DATA_DIR (./data); as \`npm start\`
flagfall parked …    what services gave up on: list, show, replay, drop`;

const commands = {
  start: () => import('./start.mjs'),
  parked: async (words) => {
    const { run } = await import('./parked.mjs');
    process.exitCode = await run(words);
  },
};

const [command, ...words] = process.argv.slice(2);
if (Object.hasOwn(commands, command ?? '')) await commands[command](words);
else {
  console.error(usage);
  process.exitCode = 64;
}
