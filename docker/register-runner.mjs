// Sees to it that RUNNER_TOKEN_FILE holds the token of a runner that the installation knows: leaves a good one alone, makes a runner otherwise.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const { EXTERNAL_URL = '', ROOT_TOKEN = '', RUNNER_TOKEN_FILE = '' } = process.env;
const callLimitMs = 10_000;
const reachLimitMs = 60_000;

/** Ends the process with a sentence for the operator. */
function giveUp(text) {
  console.error(`register-runner: ${text}`);
  process.exit(1);
}

function reason(error) {
  return error.cause?.message || error.cause?.code || error.message;
}

/** Runners take jobs from EXTERNAL_URL and jobs clone from it, so a wrong one is told here and not by the first job. */
async function reach() {
  for (const deadline = Date.now() + reachLimitMs; ;) {
    const failure = await fetch(`${EXTERNAL_URL}/-/readiness`, { signal: AbortSignal.timeout(callLimitMs) }).then(
      (answer) => (answer.ok ? undefined : `it answers ${answer.status}`),
      reason,
    );
    if (failure === undefined) return;
    if (Date.now() > deadline)
      giveUp(
        `EXTERNAL_URL, ${EXTERNAL_URL}, cannot be reached from where the runner is: ${failure}. ` +
          'Jobs could not clone from it. See EXTERNAL_URL and EXTERNAL_HOST in .env.example.',
      );
    await delay(1_000);
  }
}

async function post(path, parameters, headers = {}) {
  return fetch(`${EXTERNAL_URL}/api/v4${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(parameters),
    signal: AbortSignal.timeout(callLimitMs),
  });
}

async function isKnown(token) {
  const answer = await post('/runners/verify', { token });
  if (!answer.ok && answer.status !== 403)
    giveUp(`the token of the runner could not be verified: ${answer.status} ${await answer.text()}`);
  return answer.ok;
}

async function makeRunner() {
  const parameters = { runner_type: 'instance_type', description: 'runner of docker-compose' };
  const answer = await post('/user/runners', parameters, { 'PRIVATE-TOKEN': ROOT_TOKEN });
  if (!answer.ok) giveUp(`no runner could be made with ROOT_TOKEN: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

for (const [name, value] of Object.entries({ EXTERNAL_URL, ROOT_TOKEN, RUNNER_TOKEN_FILE }))
  if (value === '') giveUp(`${name} is missing`);

try {
  await reach();
  const kept = await readFile(RUNNER_TOKEN_FILE, 'utf8').catch(() => '');
  if (kept !== '' && (await isKnown(kept))) {
    console.log('register-runner: the runner is registered');
  } else {
    const { id, token } = await makeRunner();
    const draft = `${RUNNER_TOKEN_FILE}.new`;
    await writeFile(draft, token, { mode: 0o600 });
    await rename(draft, RUNNER_TOKEN_FILE);
    console.log(`register-runner: made runner ${id}`);
  }
} catch (error) {
  giveUp(reason(error));
}
