// What an operator types: npm run parked -- list | show <id> | replay <id> | drop <id>. Uses nothing but Node's own modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const usage = `What services gave up on, to look at, to be handled again, or to throw away.

  npm run parked -- list             everything that is parked, a line each
  npm run parked -- show <id>        one message; what callers sent in it is left out
  npm run parked -- replay <id>      have it handled again, as if it were new
  npm run parked -- drop <id>        throw it away

FLAGFALL_URL is the gateway's address (http://127.0.0.1:8080). ROOT_TOKEN is an administrator's access token; without it the one
of \`npm start\` is taken, from root-token in DATA_DIR (./data).`;

const [command, id] = process.argv.slice(2);
const commands = { list, show, replay, drop };
const gateway = (process.env.FLAGFALL_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');

if (!Object.hasOwn(commands, command ?? '') || (command !== 'list' && !id)) {
  console.error(usage);
  process.exitCode = 64;
} else {
  await commands[command]().catch((error) => {
    console.error(`parked: ${error.message}`);
    process.exitCode = 1;
  });
}

async function list() {
  const messages = await parked();
  for (const { id, queue, reason, parked_at } of messages) console.log(`${id}  ${parked_at}  ${queue}  ${reason}`);
  if (messages.length === 0) console.log('Nothing is parked.');
}

async function show() {
  console.log(JSON.stringify(await find(), null, 2));
}

async function replay() {
  const { queue } = await find();
  await call('POST', `/${queue}/${encodeURIComponent(id)}/replay`);
  console.log(`${id} is handled again. If it fails again, it is parked again.`);
}

async function drop() {
  const { queue } = await find();
  await call('DELETE', `/${queue}/${encodeURIComponent(id)}`);
  console.log(`${id} was thrown away.`);
}

function parked() {
  return call('GET', '');
}

async function find() {
  const found = (await parked()).find((message) => message.id === id);
  if (!found) throw new Error(`nothing with the id ${id} is parked; \`list\` tells what is`);
  return found;
}

async function call(method, path) {
  const url = `${gateway}/api/v4/admin/parked_messages${path}`;
  const answer = await fetch(url, {
    method,
    headers: { 'PRIVATE-TOKEN': token() },
    signal: AbortSignal.timeout(30_000),
  }).catch((error) => {
    throw new Error(`${gateway} does not answer (${error.cause?.code ?? error.message}); is FLAGFALL_URL right?`);
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${gateway} answered ${answer.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

function token() {
  if (process.env.ROOT_TOKEN) return process.env.ROOT_TOKEN;
  const file = join(process.env.DATA_DIR ?? 'data', 'root-token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new Error(`give ROOT_TOKEN, an administrator's access token; there is none in ${file} either`);
  }
}
