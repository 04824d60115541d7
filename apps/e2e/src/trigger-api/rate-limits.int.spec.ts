import { until } from '../../../../libs/messaging/src/testing/until.js';
import { type Answer, send } from '../testing/api.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

/** trigger-api.md §1.9, and issues of a busy door: limits that hold over all gateways together. */
const limits = { token: 5, project: 8, address: 30 };
const flagfall = startsFlagfall({
  name: 'limits',
  gateways: 2,
  environment: {
    TRIGGER_LIMIT_PER_TOKEN: String(limits.token),
    TRIGGER_LIMIT_PER_PROJECT: String(limits.project),
    TRIGGER_LIMIT_PER_ADDRESS: String(limits.address),
    TRUSTED_PROXIES: 'loopback',
  },
});
const files = { '.gitlab-ci.yml': 'job: {script: [make]}' };

/** Of a minute that does not end before the calls do. */
const aMinuteThatLasts = (): Promise<unknown> => until('a minute that lasts', () => (Date.now() / 1000) % 60 < 45);

/** From an address that a trusted proxy tells, to the gateways in turns. */
async function calls(count: number, trigger: Pick<Trigger, 'token' | 'projectId'>, address: string): Promise<Answer[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      send(flagfall.installation.urls[index % 2] as string, {
        method: 'POST',
        path: `/projects/${trigger.projectId}/trigger/pipeline`,
        form: [
          ['token', trigger.token],
          ['ref', 'main'],
        ],
        headers: { 'X-Forwarded-For': address },
      }),
    ),
  );
}

const statuses = (answers: Answer[]): Record<number, number> =>
  Object.fromEntries(
    [...new Set(answers.map(({ status }) => status))].map((status) => [
      status,
      answers.filter((answer) => answer.status === status).length,
    ]),
  );

const pipelinesOf = async (project: Project): Promise<number> =>
  (await flagfall.root({ path: `/projects/${project.id}/pipelines?per_page=100` })).length;

it('a token may call so often, at whichever gateway, and what is refused has created nothing', async () => {
  const project = await flagfall.newProject({ files });
  const trigger = await flagfall.newTrigger(project);
  await aMinuteThatLasts();
  const answers = await calls(7, trigger, '192.0.2.1');
  expect(statuses(answers)).toEqual({ 201: limits.token, 429: 2 });
  expect(await pipelinesOf(project)).toBe(limits.token);
  const refused = answers.find(({ status }) => status === 429) as Answer;
  expect(refused.body).toEqual({
    message: { error: 'This endpoint has been requested too many times. Try again later.' },
  });
  expect(Object.fromEntries(refused.headers)).toMatchObject({
    'ratelimit-name': 'pipeline_triggers_per_token',
    'ratelimit-limit': '5',
    'ratelimit-remaining': '0',
    'retry-after': expect.stringMatching(/^[1-9]\d?$/),
  });
  const remaining = answers
    .filter(({ status }) => status === 201)
    .map(({ headers }) => Number(headers.get('ratelimit-remaining')));
  expect(remaining.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
});

it('so may a project, with any of its tokens', async () => {
  const project = await flagfall.newProject({ files });
  const [first, second] = [await flagfall.newTrigger(project), await flagfall.newTrigger(project)];
  await aMinuteThatLasts();
  const answers = [...(await calls(5, first, '192.0.2.2')), ...(await calls(5, second, '192.0.2.3'))];
  expect(statuses(answers)).toEqual({ 201: limits.project, 429: 2 });
  expect(answers.at(-1)?.headers.get('ratelimit-name')).toMatch(/per_project$|per_token$/);
  expect(await pipelinesOf(project)).toBe(limits.project);
});

it('calls that are refused for their token leave the project its minute', async () => {
  const project = await flagfall.newProject({ files });
  const [eager, other] = [await flagfall.newTrigger(project), await flagfall.newTrigger(project)];
  await aMinuteThatLasts();
  expect(statuses(await calls(20, eager, '192.0.2.5'))).toEqual({ 201: limits.token, 429: 20 - limits.token });
  const left = limits.project - limits.token;
  const answers = await calls(left + 1, other, '192.0.2.6');
  expect(statuses(answers)).toEqual({ 201: left, 429: 1 });
  expect(answers.find(({ status }) => status === 429)?.headers.get('ratelimit-name')).toBe(
    'pipeline_triggers_per_project',
  );
  expect(await pipelinesOf(project)).toBe(limits.project);
});

it('so may an address, whatever tokens it guesses; others are not concerned', async () => {
  const project = await flagfall.newProject({ files });
  const trigger = await flagfall.newTrigger(project);
  await aMinuteThatLasts();
  const guess = { projectId: project.id, token: 'glptt-guessed' };
  expect(statuses(await calls(40, guess, '2001:db8::1'))).toEqual({ 404: limits.address, 429: 10 });
  // The same network of IPv6, with the right token this time.
  const [neighbour] = await calls(1, trigger, '2001:db8::ffff');
  expect([neighbour?.status, neighbour?.headers.get('ratelimit-name')]).toEqual([429, 'pipeline_triggers_per_address']);
  expect(statuses(await calls(1, trigger, '192.0.2.4'))).toEqual({ 201: 1 });
});
