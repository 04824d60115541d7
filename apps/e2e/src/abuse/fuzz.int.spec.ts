// needs: rabbitmq, postgresql
import { startsFlagfall } from '../testing/flagfall.js';
import type { TakenJob } from '../testing/hand-runner.js';
import { Dice, hostileJson, hostileTexts } from './hostile-values.js';
import { type Operation, operationsOf, pathWith } from './operations.js';
import { type Ids, Target } from './target.js';

/** How many calls; `npm run test:abuse` makes more. */
const calls = Number(process.env.FUZZ_CALLS ?? 400);
/** `npm run test:abuse` prints another one each time; among all other tests it is always the same. */
const seed = Number(process.env.FUZZ_SEED ?? 848_088_243);
/** A call that takes longer hangs: the longest wait of the gateway is for an outcome, 8 s. */
const hangMs = 30_000;
const atOnce = 4;

const flagfall = startsFlagfall({ name: 'fuzz', environment: { REQUEST_HOLD_MS: '0' } });
let target: Target;
let token: string;
let operations: Operation[];
let job: TakenJob;
let scrap: { user: number; token: number };

/** These end what the others need, or never end themselves. */
const left = new Set([
  'DELETE /api/v4/personal_access_tokens/self',
  'DELETE /api/v4/projects/{id}',
  'DELETE /api/v4/runners',
  'DELETE /api/v4/runners/{id}',
  'POST /api/v4/runners/reset_authentication_token',
  'POST /api/v4/runners/{id}/reset_authentication_token',
  'DELETE /api/v4/projects/{id}/triggers/{trigger_id}',
  'DELETE /api/v4/users/{id}',
  'GET /-/projects/{id}/live',
]);

beforeAll(async () => {
  operations = (await operationsOf(flagfall.url)).filter(({ name }) => !left.has(name));
  target = await Target.make(flagfall, 'target');
  const { id } = await flagfall.root({ path: '/user' });
  token = await flagfall.newAccessToken(id);
  job = await target.runningJob();
  const user = await flagfall.newUser('scrap');
  const json = { name: 'scrap', scopes: ['api'] };
  const made = await flagfall.root({ method: 'POST', path: `/users/${user.id}/personal_access_tokens`, json });
  scrap = { user: user.id, token: made.id };
});

const encodings = ['query', 'urlencoded', 'multipart', 'json'] as const;
type Encoding = (typeof encodings)[number];

interface Attempt {
  operation: Operation;
  encoding: Encoding;
  path: string;
  headers: Record<string, string>;
  body: RequestInit['body'];
}

/** An operation with hostile values for some of its parameters and its usual ones for the others. */
function attempt(dice: Dice, operation: Operation, encoding: Encoding): Attempt {
  const ids: Ids = { key: 'KEY_OF_target', name: 'release-target', queue: 'q', message_id: 'm', status_token: 'x' };
  Object.assign(ids, target.ids);
  // What these take away, nobody here needs.
  if (operation.path.includes('/users/{')) Object.assign(ids, { id: scrap.user, user_id: scrap.user });
  if (operation.path.includes('/personal_access_tokens/{id}')) ids['id'] = scrap.token;
  if (operation.path.includes('/runners/{id}')) ids['id'] = target.runner.id;
  if (operation.path.startsWith('/api/v4/jobs/')) ids['job_id'] = job.id;
  for (const name of operation.inPath)
    if (dice.once(4)) ids[name] = sendable(dice.pick(hostileTexts)).slice(0, 1_000) || 'x';
  const pairs: [name: string, value: string][] = [];
  const json: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { name, type, required } of operation.sent) {
    if (!required && dice.once(2)) continue;
    const good = goodValue(operation, name);
    const text = good !== undefined && !dice.once(4) ? good : dice.pick(hostileTexts);
    const suffix = type === 'array' ? '[]' : type === 'object' ? `[${dice.pick(hostileTexts).slice(0, 300)}]` : '';
    pairs.push([
      dice.once(6) ? `${name}${dice.pick(['[]', '[a]', '[][a]', '[__proto__]', '[', ']', '[[]]'])}` : name + suffix,
      text,
    ]);
    json[name] = text === good || dice.once(3) ? text : hostileJson(dice);
  }
  if (dice.once(8)) pairs.push([dice.pick(hostileTexts).slice(0, 300), dice.pick(hostileTexts)]);
  if (dice.once(8)) json[dice.pick(hostileTexts).slice(0, 300)] = hostileJson(dice);
  const headers: Record<string, string> = dice.once(10) ? {} : { 'PRIVATE-TOKEN': token };
  const path = pathWith(operation.path, ids);
  if (encoding === 'query' || !operation.hasBody)
    return { operation, encoding, path: `${path}?${queryOf(pairs, dice)}`, headers, body: undefined };
  if (encoding === 'urlencoded') {
    headers['Content-Type'] = 'application/x-www-form-urlencoded';
    return { operation, encoding, path, headers, body: queryOf(pairs, dice) };
  }
  if (encoding === 'json') {
    headers['Content-Type'] = 'application/json';
    const text = JSON.stringify(json);
    return {
      operation,
      encoding,
      path,
      headers,
      body: dice.once(10) ? text.slice(0, dice.below(text.length + 1)) : text,
    };
  }
  const form = new FormData();
  for (const [name, value] of pairs) form.append(name, value);
  return { operation, encoding, path, headers, body: form };
}

/** Without these all others would be refused unread. */
function goodValue({ path }: Operation, name: string): string | undefined {
  if (name === 'ref') return 'main';
  if (name !== 'token') return undefined;
  if (path.includes('/trigger/')) return target.trigger.token;
  return path.includes('/jobs/{') ? job.token : target.runner.token;
}

/** A URL cannot carry half a character: it is written as what it would be in other encodings. */
function sendable(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** At times with bytes that are no text. */
function queryOf(pairs: [string, string][], dice: Dice): string {
  const query = pairs
    .map((pair) => pair.map((part) => encodeURIComponent(sendable(part.slice(0, 5_000)))).join('='))
    .join('&')
    .slice(0, 12_000);
  return (
    query.replace(/%[0-9A-F]?$/, '') +
    (dice.once(12) ? dice.pick(['&x=%ff', '&x=%', '&%', '&=', '&&&', '&x=%ed%a0%80']) : '')
  );
}

describe('hostile values', () => {
  it(`are answered as described, never with a 5xx, never late (FUZZ_SEED=${seed} FUZZ_CALLS=${calls})`, async () => {
    const dice = new Dice(seed);
    // In turns, so that few calls reach every operation in every encoding.
    const attempts = Array.from({ length: calls }, (_, index) =>
      attempt(
        dice,
        operations[index % operations.length]!,
        encodings[Math.floor(index / operations.length) % encodings.length]!,
      ),
    );
    const wrong: string[] = [];
    const statuses: Record<number, number> = {};
    const waiting = [...attempts.entries()];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [index, { operation, path, encoding, headers, body }] = next;
        const what = `call ${index}, ${operation.name} as ${encoding}`;
        try {
          const answer = await fetch(`${flagfall.url}${path}`, {
            method: operation.method,
            headers,
            body,
            redirect: 'manual',
            signal: AbortSignal.timeout(hangMs),
          });
          const text = await answer.text();
          statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
          if (answer.status >= 500)
            wrong.push(`${what} got ${answer.status} ${text.slice(0, 300)} for ${path.slice(0, 400)} ${printed(body)}`);
        } catch (error) {
          wrong.push(`${what} got no answer: ${String(error)} for ${path.slice(0, 400)} ${printed(body)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    process.stdout.write(
      `Fuzzer: seed ${seed}, ${calls} calls of ${operations.length} operations: ${JSON.stringify(statuses)}\n`,
    );
    expect(wrong).toEqual([]);
    // Who is refused at the door tries nothing.
    expect(statuses[401] ?? 0).toBeLessThan(calls / 3);
    expect(flagfall.programs.every(({ running }) => running)).toBe(true);
  }, 3_600_000);
});

function printed(body: RequestInit['body']): string {
  return JSON.stringify(body instanceof FormData ? [...body] : body)?.slice(0, 600) ?? '';
}

/**
 * The same parameters, as text. What says when and which one is left out: those differ from call to call. Only reading operations, and those that
 * change nothing when they are refused.
 */
describe('the same parameters', () => {
  it('have the same result in the query, in forms and as JSON', async () => {
    const dice = new Dice(seed + 1);
    const wrong: string[] = [];
    let compared = 0;
    // Each of these does the same thing again when it is called again.
    const repeatable = operations.filter(({ name }) =>
      [
        'POST /api/v4/projects/{id}/ci/lint',
        'PUT /api/v4/projects/{id}',
        'PUT /api/v4/projects/{id}/variables/{key}',
        'PUT /api/v4/projects/{id}/triggers/{trigger_id}',
        'PUT /api/v4/projects/{id}/members/{user_id}',
        'PUT /api/v4/runners/{id}',
        'PUT /api/v4/application/settings',
        'PUT /api/v4/projects/{id}/pipelines/{pipeline_id}/metadata',
        'POST /api/v4/runners/verify',
        'PUT /api/v4/jobs/{job_id}',
      ].includes(name),
    );
    for (const operation of repeatable)
      for (let round = 0; round < Math.ceil(calls / 100); round += 1) {
        const pairs = operation.sent
          // Nothing that makes the project unreadable for the next round.
          .filter(({ name, type }) => type === 'string' && !['import_url', 'path'].includes(name) && !dice.once(2))
          .map(({ name }): [string, string] => [name, dice.pick(plainTexts)]);
        const ids = {
          ...target.ids,
          key: 'KEY_OF_target',
          ...(operation.path.includes('/runners/{id}') && { id: target.runner.id }),
        };
        compared += 1;
        wrong.push(...(await differences(operation, ids, pairs)));
      }
    process.stdout.write(`Fuzzer: ${compared} sets of parameters, the same in each encoding\n`);
    expect(repeatable).toHaveLength(10);
    expect(wrong).toEqual([]);
  }, 1_800_000);

  it('are refused alike by all others that change something', async () => {
    const dice = new Dice(seed + 2);
    const wrong: string[] = [];
    const compared = new Set<string>();
    // These take bytes, not parameters.
    const writing = operations.filter(({ hasBody, path }) => hasBody && !/\/trace$|\/artifacts$|\/git-/.test(path));
    for (const operation of writing)
      for (let round = 0; round < Math.ceil(calls / 400); round += 1) {
        const below = operation.inPath.filter((name) => name !== 'id' || !operation.path.includes('/projects/{id}'));
        const required = operation.sent.filter((each) => each.required);
        // What it is about is not there, or something is missing: either way nothing is done.
        if (below.length === 0 && required.length === 0) continue;
        const missing = below.length > 0 ? undefined : dice.pick(required).name;
        const pairs = operation.sent
          .filter(({ name, type }) => type !== 'object' && name !== missing && !(below.length > 0 && dice.once(2)))
          .map(({ name, type }): [string, string] => [type === 'array' ? `${name}[]` : name, dice.pick(plainTexts)]);
        const ids = { ...target.ids, ...Object.fromEntries(below.map((name) => [name, '999999999'])) };
        compared.add(operation.name);
        wrong.push(...(await differences(operation, ids, pairs)));
      }
    process.stdout.write(
      `Fuzzer: ${compared.size} of ${writing.length} writing operations refuse the same in each encoding\n`,
    );
    expect(compared.size).toBeGreaterThan(writing.length * 0.8);
    expect(wrong).toEqual([]);
  }, 1_800_000);
});

const plainTexts = hostileTexts.filter((text) => text.length < 1_000 && !/\p{Surrogate}/u.test(text));

/** Calls an operation with the same parameters in each encoding. @param pairs names of lists end in `[]` @returns what differs, if anything */
async function differences(operation: Operation, ids: Ids, pairs: [name: string, value: string][]): Promise<string[]> {
  const path = pathWith(operation.path, ids);
  const call = async (more: { query?: string; body?: RequestInit['body']; type?: string }): Promise<unknown> => {
    const { query = '', body, type } = more;
    const answer = await fetch(`${flagfall.url}${path}${query}`, {
      method: operation.method,
      headers: { 'PRIVATE-TOKEN': token, ...(type && { 'Content-Type': type }) },
      body,
      signal: AbortSignal.timeout(hangMs),
    });
    const text = await answer.text();
    return { status: answer.status, body: text.replace(/"\w+_at":"[^"]*"/g, '') };
  };
  const form = new FormData();
  for (const [name, value] of pairs) form.append(name, value);
  const query = pairs.map((pair) => pair.map((part) => encodeURIComponent(part)).join('=')).join('&');
  const json = pairs.map(([name, value]) => (name.endsWith('[]') ? [name.slice(0, -2), [value]] : [name, value]));
  const results = {
    query: await call({ query: `?${query}` }),
    urlencoded: await call({ body: query, type: 'application/x-www-form-urlencoded' }),
    json: await call({ body: JSON.stringify(Object.fromEntries(json)), type: 'application/json' }),
    // A multipart form has one kind of line break, which is in the way of comparing texts.
    ...(pairs.every(([, value]) => !/[\r\n]/.test(value)) && { multipart: await call({ body: form }) }),
  };
  if (new Set(Object.values(results).map((result) => JSON.stringify(result))).size === 1) return [];
  return [`${operation.name} ${JSON.stringify(pairs)}: ${JSON.stringify(results)}`];
}
