// What services gave up on, for an operator: flagfall parked list | show | replay | drop. Uses nothing but Node's own modules.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const perPage = 100;
const callLimitMs = 60_000;

const usage = `What services gave up on, to look at, to be handled again, or to throw away.

  flagfall parked list [page]      what is parked, a line each, the oldest of each queue first, ${perPage} on a page
  flagfall parked show <id>        one message; what callers sent in it is left out
  flagfall parked replay <id>      have it handled again, as if it were new
  flagfall parked drop <id>        throw it away; a trigger request in it is given up

In a checkout: npm run parked -- list. FLAGFALL_URL is the gateway's address (http://127.0.0.1:8080, with the port in PORT). ROOT_TOKEN is an
administrator's access token; without it the one of \`npm start\` is taken, from root-token in DATA_DIR (./data).`;

/** @returns the exit code */
export async function run([command, word, ...more]) {
  const commands = { list, show, replay, drop };
  const known = Object.hasOwn(commands, command ?? '') && more.length === 0;
  if (!known || !(command === 'list' ? /^([1-9]\d{0,6})?$/ : /./).test(word ?? '')) {
    console.error(usage);
    return 64;
  }
  try {
    await commands[command](word);
    return 0;
  } catch (error) {
    console.error(`parked: ${error.message}`);
    return 1;
  }
}

async function list(page = '1') {
  const { body, headers } = await call('GET', `?per_page=${perPage}&page=${page}`);
  for (const { id, queue, reason, parked_at } of body) console.log(`${id}  ${parked_at}  ${queue}  ${reason}`);
  const [total, next] = [headers.get('X-Total'), headers.get('X-Next-Page')];
  if (next) console.log(`${total ?? 'Many'} are parked; \`list ${next}\` shows the next of them.`);
  else if (body.length === 0) console.log(page === '1' ? 'Nothing is parked.' : 'Nothing is on this page.');
}

async function show(id) {
  console.log(JSON.stringify(await find(id), null, 2));
}

async function replay(id) {
  const { queue } = await find(id);
  await call('POST', `/${queue}/${encodeURIComponent(id)}/replay`);
  console.log(`${id} is handled again. If it fails again, it is parked again.`);
}

async function drop(id) {
  const { queue } = await find(id);
  await call('DELETE', `/${queue}/${encodeURIComponent(id)}`);
  console.log(`${id} was thrown away.`);
}

async function find(id) {
  const { body } = await call('GET', `?id=${encodeURIComponent(id)}`);
  if (body.length === 0) throw new Error(`nothing with the id ${id} is parked; \`list\` tells what is`);
  return body[0];
}

async function call(method, path) {
  const gateway = gatewayUrl();
  const answer = await fetch(`${gateway}/api/v4/admin/parked_messages${path}`, {
    method,
    headers: { 'PRIVATE-TOKEN': token() },
    signal: AbortSignal.timeout(callLimitMs),
  }).catch((error) => {
    throw new Error(`${gateway} does not answer (${error.cause?.code ?? error.message}); is FLAGFALL_URL right?`);
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${gateway} answered ${answer.status}: ${text}`);
  return { body: text === '' ? undefined : JSON.parse(text), headers: answer.headers };
}

function gatewayUrl() {
  return (process.env.FLAGFALL_URL || `http://127.0.0.1:${process.env.PORT || 8080}`).replace(/\/+$/, '');
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
