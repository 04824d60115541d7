// needs: rabbitmq, postgresql
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Answer, Call } from '../testing/api.js';
import { send } from '../testing/api.js';
import { startsFlagfall, type Trigger } from '../testing/flagfall.js';
import type { Project } from '../testing/project.js';

const flagfall = startsFlagfall({ name: 'idempotency', gateways: 2, environment: { REQUEST_HOLD_MS: '0' } });
let project: Project;
let trigger: Trigger;

beforeAll(async () => {
  project = await flagfall.newProject({ files: { '.gitlab-ci.yml': 'build: {script: [make]}\n' } });
  trigger = await flagfall.newTrigger(project);
});

type Body = Pick<Call, 'json' | 'form' | 'multipart'>;

/** @param gateway 0 or 1 */
function call(headers: Record<string, string>, body: Body = as.json({}), gateway = 0, path = own()): Promise<Answer> {
  return send(flagfall.installation.urls[gateway]!, { method: 'POST', path, headers, ...body });
}
const own = () => `/projects/${project.id}/trigger/pipeline`;

/** The same request in every encoding. */
const as = {
  json: (variables: Record<string, string>, token = trigger.token): Body => ({
    json: { token, ref: 'main', variables },
  }),
  form: (variables: Record<string, string>): Body => ({ form: pairs(variables) }),
  multipart: (variables: Record<string, string>): Body => ({ multipart: pairs(variables) }),
};
const pairs = (variables: Record<string, string>) => [
  ...Object.entries(variables).map(([name, value]) => [`variables[${name}]`, value] as const),
  ['ref', 'main'] as const,
  ['token', trigger.token] as const,
];

const isReplayed = ({ headers }: Answer) => headers.get('idempotency-replayed') === 'true';
const count = async () => (await project.pipelines()).length;

describe.each(['Idempotency-Key', 'webhook-id'])('%s', (header) => {
  it('of fifty calls at once, at two gateways, makes one pipeline, which all are told of', async () => {
    const before = await count();
    const headers = { [header]: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => call(headers, as.json({}), index % 2)));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(201));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(isReplayed)).toHaveLength(49);
    expect(await count()).toBe(before + 1);
  });
});

it.each([
  'X-Request-Id',
  'X-GitHub-Delivery',
  'X-Gitlab-Event-UUID',
  'X-Gitlab-Webhook-UUID',
  'X-Gitea-Delivery',
  'X-Request-UUID',
  'X-Idempotency-Key',
  'Idempotency-Id',
  'webhook-timestamp',
])('%s is no key, and neither is a body that looks alike', async (header) => {
  const headers = { [header]: randomUUID() };
  const [one, other] = [await call(headers), await call(headers)];
  expect([one.status, other.status, isReplayed(other)]).toEqual([201, 201, false]);
  expect(one.body.id).not.toBe(other.body.id);
});

it('is the same request in every encoding, in any order, quoted or not, and by the project’s number or path', async () => {
  const key = randomUUID();
  const variables = { A: '1', B: 'ü' };
  const first = await call({ 'Idempotency-Key': key }, as.json(variables));
  const { status, body } = first;
  expect([status, isReplayed(first)]).toEqual([201, false]);
  const again = [
    await call({ 'Idempotency-Key': key }, as.form(variables), 1),
    await call({ 'Idempotency-Key': `"${key}"` }, as.multipart(variables)),
    await call(
      { 'Idempotency-Key': key },
      as.json({ B: 'ü', A: '1' }),
      1,
      `/projects/${encodeURIComponent(project.path)}/trigger/pipeline`,
    ),
    await call({ 'webhook-id': key }, as.json(variables)),
    await call({ 'Idempotency-Key': key }, { json: { variables } }, 0, `${own()}?ref=main&token=${trigger.token}`),
  ];
  for (const answer of again)
    expect({ ...answer, headers: isReplayed(answer) }).toEqual({ status, body, headers: true });
});

it('is refused with another request, which starts nothing, and tells nobody what the first one was', async () => {
  const headers = { 'Idempotency-Key': randomUUID() };
  await call(headers, as.json({ SECRET: 'first' }));
  const before = await count();
  for (const body of [
    as.json({ SECRET: 'second' }),
    as.json({}),
    { json: { ...(as.json({ SECRET: 'first' }).json as object), note: 1 } },
  ]) {
    const answer = await call(headers, body, 1);
    expect(answer).toMatchObject({
      status: 422,
      body: { message: 'The Idempotency-Key was used for another request' },
    });
    expect(isReplayed(answer)).toBe(false);
  }
  expect(await count()).toBe(before);
});

it('counts for one trigger alone, and for nobody whose token is no good', async () => {
  const headers = { 'Idempotency-Key': randomUUID() };
  const first = await call(headers);
  const other = await flagfall.newTrigger(project);
  const second = await call(headers, as.json({}, other.token));
  expect([second.status, isReplayed(second), second.body.id === first.body.id]).toEqual([201, false, false]);
  expect(await call(headers, as.json({}, 'glptt-wrong'))).toMatchObject({
    status: 404,
    body: { message: '404 Not Found' },
  });
  await flagfall.root({ method: 'DELETE', path: `/projects/${project.id}/triggers/${other.id}` });
  expect((await call(headers, as.json({}, other.token))).status).toBe(404);
});

describe('a first call', () => {
  it('that was refused at the door has not used the key', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    expect((await call(headers, as.json({}, 'glptt-wrong'))).status).toBe(404);
    expect((await call(headers, { json: { token: trigger.token } })).status).toBe(400);
    const good = await call(headers);
    expect([good.status, isReplayed(good)]).toEqual([201, false]);
  });

  it('that was recorded and refused is refused again, the same, even when it would be good by now', async () => {
    const headers = { 'Idempotency-Key': randomUUID() };
    const later = { json: { token: trigger.token, ref: 'later' } };
    const first = await call(headers, later);
    expect(first).toMatchObject({ status: 400, body: { message: { base: ['Reference not found'] } } });
    await project.repository.git('branch', 'later');
    const again = await call(headers, later, 1);
    expect([again.status, again.body, isReplayed(again)]).toEqual([400, first.body, true]);
    expect((await call({ 'Idempotency-Key': randomUUID() }, later)).status).toBe(201);
  });

  it('that nobody waits for has one URL, which every repetition is told, and then its outcome', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const { pipelineServices } = flagfall.installation;
    for (const service of pipelineServices) service.freeze();
    let first: Answer;
    try {
      first = await call({ ...key, Prefer: 'respond-async' });
      expect(first.status).toBe(202);
      const again = await Promise.all(
        [0, 1].map((gateway) => call({ ...key, Prefer: 'respond-async' }, as.json({}), gateway)),
      );
      for (const answer of again) {
        expect(answer).toMatchObject({ status: 202, body: first.body });
        expect([answer.headers.get('location'), isReplayed(answer)]).toEqual([first.headers.get('location'), true]);
      }
      expect((await call(key, as.json({ OTHER: '1' }))).status).toBe(422);
    } finally {
      for (const service of pipelineServices) service.thaw();
    }
    const waited = await call(key, as.json({}), 1);
    expect([waited.status, isReplayed(waited)]).toEqual([201, true]);
    const told = await flagfall.must({ path: new URL(first.headers.get('location')!).pathname.replace('/api/v4', '') });
    expect(told).toMatchObject({ status: 'created', pipeline: { id: waited.body.id } });
  });
});

it('is kept for 24 hours, not from the last use but from the first', async () => {
  const headers = { 'Idempotency-Key': randomUUID() };
  const first = await call(headers);
  const database = new pg.Client({ connectionString: flagfall.installation.databaseUrl });
  await database.connect();
  const age = (interval: string) =>
    database.query(`update gateway.idempotency_keys set created_at = now() - $1::interval`, [interval]);
  try {
    await age('23 hours 59 minutes');
    expect((await call(headers, as.json({}), 1)).body.id).toBe(first.body.id);
    await age('24 hours 1 second');
    const next = await call(headers);
    expect([next.status, isReplayed(next), next.body.id === first.body.id]).toEqual([201, false, false]);
  } finally {
    await database.end();
  }
});
