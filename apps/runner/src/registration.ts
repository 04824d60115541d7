import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RunnerConfig } from './config.js';
import { Coordinator, describeAnswer } from './coordinator.js';
import type { Answer } from './http-client.js';
import { readSystemId } from './system-id.js';
import { shortenToken } from './workspace.js';

/**
 * Asks the coordinator whether it knows the runner (runner-api.md §1.5), and keeps the token in a file where one is named.
 * @returns a line for the operator
 * @throws {Error} for people, when it does not or cannot be reached
 */
export async function register(config: RunnerConfig): Promise<string> {
  const answer = await call(config, (coordinator) => coordinator.verify());
  if (answer.status === 403)
    throw new Error(`${config.url} does not know this token: was the runner deleted or its token reset?`);
  const { id, token_expires_at: expires } = readVerified(answer);
  const shown = `runner ${id} (${shortenToken(config.token)}) is registered at ${config.url}`;
  const until = typeof expires === 'string' ? `; its token expires at ${expires}` : '';
  if (config.keepTokenIn === undefined) return shown + until;
  await writeFile(config.keepTokenIn, `${config.token}\n`, { mode: 0o600 });
  return `${shown}${until}; its token is kept in ${config.keepTokenIn}`;
}

/**
 * Takes this machine off the runner, or the runner off the coordinator where its token was not made by a person (runner-api.md §1.7).
 * @returns a line for the operator
 * @throws {Error} for people, when it was not registered or cannot be reached
 */
export async function unregister(config: RunnerConfig): Promise<string> {
  const answer = await call(config, (coordinator) => coordinator.unregister());
  if (answer.status === 204)
    return `${config.url} has forgotten this machine of the runner ${shortenToken(config.token)}`;
  if (answer.status === 404) throw new Error(`${config.url} did not know this machine of the runner`);
  if (answer.status === 403) throw new Error(`${config.url} does not know this token`);
  throw new Error(`${config.url} did not unregister the runner: ${describeAnswer(answer)}`);
}

async function call(config: RunnerConfig, ask: (coordinator: Coordinator) => Promise<Answer>): Promise<Answer> {
  const systemId = await readSystemId(resolve(config.buildsDir));
  const coordinator = new Coordinator(config.url, config.token, systemId, config.docker ? 'docker' : 'shell');
  try {
    return await ask(coordinator);
  } catch (error) {
    throw new Error(`${config.url} cannot be reached: ${(error as Error).message}`, { cause: error });
  } finally {
    coordinator.close();
  }
}

/** Nothing but 200 with a JSON body and an id is a yes. */
function readVerified(answer: Answer): { id: number; token_expires_at?: unknown } {
  let body: { id?: unknown } = {};
  try {
    body = JSON.parse(answer.body.toString()) as typeof body;
  } catch {
    // No JSON: described below by its status.
  }
  if (answer.status === 200 && typeof body.id === 'number' && body.id > 0) return { ...body, id: body.id };
  throw new Error(
    `the token could not be verified, the answer was ${describeAnswer(answer)}: is this a coordinator of GitLab's kind?`,
  );
}
