import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Answer, type Call, send } from '../testing/api.js';
import { startsFlagfall } from '../testing/flagfall.js';

/** Tokens that are no good, of whatever kind, are limited by address over all gateways; good ones always work. */
const limit = 6;
const flagfall = startsFlagfall({
  name: 'failed-tokens',
  gateways: 2,
  environment: { FAILED_TOKEN_LIMIT_PER_ADDRESS: String(limit), TRUSTED_PROXIES: 'loopback' },
});

/** Of a minute that does not end before the calls do. */
const aMinuteThatLasts = (): Promise<unknown> => until('a minute that lasts', () => (Date.now() / 1000) % 60 < 45);

let addresses = 0;
const newAddress = (): string => `198.51.100.${(addresses += 1)}`;

/** From an address that a trusted proxy tells, to the gateways in turns. */
const from = (address: string, call: Call, gateway = 0): Promise<Answer> =>
  send(flagfall.installation.urls[gateway % 2] as string, {
    ...call,
    headers: { ...call.headers, 'X-Forwarded-For': address },
  });

const sorted = (answers: Answer[]): number[] => answers.map(({ status }) => status).sort((a, b) => a - b);
const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status);
const basic = `Basic ${Buffer.from('x:glpat-guessed').toString('base64')}`;

it.each<[string, number, (guess: string) => Call]>([
  ['an access token', 401, (guess) => ({ path: '/user', token: guess })],
  ['a bearer', 401, (guess) => ({ path: '/projects', headers: { Authorization: `Bearer ${guess}` } })],
  ['at the sign-in page', 401, (guess) => ({ method: 'POST', path: '//-/session', json: { access_token: guess } })],
  [
    'a trigger token',
    404,
    (token) => ({ method: 'POST', path: '/projects/1/trigger/pipeline', json: { token, ref: 'main' } }),
  ],
  ['a runner token', 403, (token) => ({ method: 'POST', path: '/jobs/request', json: { token } })],
  ['a runner token to be verified', 403, (token) => ({ method: 'POST', path: '/runners/verify', json: { token } })],
  ['a registration token', 403, (token) => ({ method: 'POST', path: '/runners', json: { token } })],
  ['a job token', 401, (guess) => ({ path: '/job', headers: { 'JOB-TOKEN': guess } })],
  [
    'a job token with a report',
    403,
    (token) => ({ method: 'PUT', path: '/jobs/1', json: { token, state: 'running' } }),
  ],
  ['a job token for artifacts', 401, (token) => ({ path: `/jobs/1/artifacts?token=${token}` })],
  [
    'a clone',
    401,
    () => ({ path: '//group/app.git/info/refs?service=git-upload-pack', headers: { Authorization: basic } }),
  ],
  ['a status token', 404, (guess) => ({ path: `/trigger_requests/${guess}` })],
])('%s may be wrong so often', async (_, status, call) => {
  // Off by itself, which would be said to everybody.
  const json = { allow_runner_registration_token: true };
  await flagfall.root({ method: 'PUT', path: '/application/settings', json });
  const address = newAddress();
  await aMinuteThatLasts();
  const answers = await Promise.all(
    times(limit + 3, 0).map((_each, index) => from(address, call(`guess-${index}`), index)),
  );
  expect(sorted(answers)).toEqual([...times(limit, status), ...times(3, 429)]);
  const refused = answers.filter((answer) => answer.status === 429);
  for (const { headers, body } of refused) {
    expect(Object.fromEntries(headers)).toMatchObject({
      'ratelimit-name': 'failed_tokens_per_address',
      'ratelimit-limit': String(limit),
      'ratelimit-remaining': '0',
      'retry-after': expect.stringMatching(/^[1-9]\d?$/),
    });
    expect(body).toEqual({
      message: { error: 'This endpoint has been requested too many times. Try again later.' },
    });
  }
});

it('nobody else is locked out: good tokens work at the same address, and other addresses have a limit of their own', async () => {
  const project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'job: {script: [make]}' } });
  const trigger = await flagfall.newTrigger(project);
  const address = newAddress();
  await aMinuteThatLasts();
  const guess = { path: '/user', token: 'glpat-guessed' };
  for (let count = 0; count < limit; count++) expect((await from(address, guess, count)).status).toBe(401);
  for (const gateway of [0, 1]) {
    expect((await from(address, guess, gateway)).status).toBe(429);
    expect((await from(address, { path: '/user', token: flagfall.rootToken }, gateway)).status).toBe(200);
    const call = {
      method: 'POST',
      path: `/projects/${project.id}/trigger/pipeline`,
      json: { token: trigger.token, ref: 'main' },
    };
    expect((await from(address, call, gateway)).status).toBe(201);
  }
  expect((await from(newAddress(), guess)).status).toBe(401);
  const said = flagfall.installation.gateways.map(
    ({ output }) => output.split('too many tokens that are no good').length - 1,
  );
  expect(said.reduce((sum, each) => sum + each)).toBeGreaterThan(0);
});

it('whoever sends no token, or may not do something with a good one, has not failed', async () => {
  const address = newAddress();
  const someone = await flagfall.newUser('someone');
  await aMinuteThatLasts();
  for (let count = 0; count < limit + 2; count++) {
    expect((await from(address, { path: '/user' })).status).toBe(401);
    expect((await from(address, { path: '/users', method: 'POST', token: someone.token, json: {} })).status).toBe(403);
    expect((await from(address, { path: '/projects/4711', token: someone.token })).status).toBe(404);
  }
  expect((await from(address, { path: '/user', token: 'glpat-guessed' })).status).toBe(401);
});

it('a runner whose token is gone is told so for ever, while other tokens are refused', async () => {
  const address = newAddress();
  const runner = await flagfall.newRunner();
  await flagfall.root({ method: 'DELETE', path: `/runners/${runner.id}` });
  const ask = (token: string): Promise<Answer> =>
    from(address, { method: 'POST', path: '/jobs/request', json: { token } });
  await aMinuteThatLasts();
  for (let count = 0; count < 3 * limit; count++) expect((await ask(runner.token)).status).toBe(403);
  for (let count = 1; count < limit; count++) expect((await ask(`glrt-${count}`)).status).toBe(403);
  expect((await ask('glrt-one-more')).status).toBe(429);
  expect((await ask(runner.token)).status).toBe(403);
});

it('whoever calls on the gateway’s own machine is not counted', async () => {
  await aMinuteThatLasts();
  const guesses = times(limit + 3, 0).map((_, index) =>
    send(flagfall.url, { path: '/user', token: `glpat-local-${index}` }),
  );
  expect(sorted(await Promise.all(guesses))).toEqual(times(limit + 3, 401));
});
