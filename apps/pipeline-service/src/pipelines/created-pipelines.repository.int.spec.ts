import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreatePipeline,
  CreateProject,
  DeletePipeline,
  EditSettings,
  PipelineTriggered,
  TriggerOutcome,
} from '#libs/contracts';
import { parseCommit } from '../repositories/commit-object.js';
import type { Message } from '#libs/messaging';
import { uuidv7 } from '#libs/persistence';
import { onEvent } from '../../../../libs/messaging/src/testing/service.js';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { TestRepository } from '../repositories/testing/test-repository.js';
import { CreatedPipelines } from './created-pipelines.repository.js';
import type { Decision } from './decision.js';
import { newActor, type RunningService, startService } from '../testing/running-service.js';

const root = newActor();
let running: RunningService;
let projectId: number;
const told: TriggerOutcome[] = [];

beforeAll(async () => {
  running = await startService('created', {
    others: [onEvent(TriggerOutcome.type, ({ data }: Message<TriggerOutcome>) => told.push(data), { addressed: true })],
  });
  await mkdir(running.root, { recursive: true });
  const repository = await TestRepository.create(join(running.root, 'app'));
  await repository.commit({ '.gitlab-ci.yml': 'build: {script: [make]}\n' });
  const project = { requestId: randomUUID(), actor: root, path: 'app', importUrl: repository.path };
  ({ id: projectId } = await running.ask(CreateProject, project));
});
afterAll(() => running.stop());

const newOrder = () => ({
  requestId: randomUUID() as string,
  projectId,
  ref: 'main',
  actor: root,
  variables: [],
  receivedAt: new Date().toISOString(),
});
const create = (order: ReturnType<typeof newOrder>) => running.ask(CreatePipeline, order);
const pipelinesOf = async (requestId: string): Promise<number[]> => {
  const rows = await running.database.query('select id from pipelines.pipelines where request_id = $1', [requestId]);
  return (rows as { id: number }[]).map(({ id }) => id);
};

it('a request that comes several times at once, among others, has one pipeline, which all are told', async () => {
  const [order, other] = [newOrder(), newOrder()];
  const told = await Promise.all([create(order), create(other), create(order), create(order), create(other)]);
  const [first, second] = told.map(({ id }) => id);
  expect(told.map(({ id }) => id)).toEqual([first, second, first, first, second]);
  expect(await pipelinesOf(order.requestId)).toEqual([first]);
  expect(await pipelinesOf(other.requestId)).toEqual([second]);
});

it('one that comes again later is told the same', async () => {
  const order = newOrder();
  const { id } = await create(order);
  expect((await create(order)).id).toBe(id);
  expect(await pipelinesOf(order.requestId)).toEqual([id]);
});

it('a refusal that comes again is told in the same words', async () => {
  const order = { ...newOrder(), ref: 'nowhere' };
  const failure = await create(order).catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 400, body: { message: { base: ['Reference not found'] } } });
  expect(await create({ ...order, ref: 'main' }).catch((error: unknown) => error)).toEqual(failure);
});

it('one whose pipeline was deleted since is told so, and has no second one', async () => {
  const order = newOrder();
  const { id: pipelineId } = await create(order);
  await running.ask(DeletePipeline, { projectId, pipelineId, actor: root });
  await expect(create(order)).rejects.toMatchObject({ status: 404 });
  expect(await pipelinesOf(order.requestId)).toEqual([]);
});

it('numbers go up by one within a project, whatever else is in the batch', async () => {
  const bad = { ...newOrder(), ref: 'nowhere' };
  const told = await Promise.allSettled([create(newOrder()), create(bad), create(newOrder()), create(newOrder())]);
  const created = told.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])).sort((a, b) => a.id - b.id);
  const [first] = created;
  expect(created.map(({ iid }) => iid - (first?.iid ?? 0))).toEqual([0, 1, 2]);
});

it('a project that was deleted after the decision gets no pipeline', async () => {
  const order = {
    ...newOrder(),
    projectId: 999_999,
    source: 'api',
    channel: null,
    trigger: null,
    upstream: null,
  } as const;
  const sha = 'a'.repeat(40);
  const who = 'Ann <ann@example.com> 1700000000 +0000';
  const object = Buffer.from(`tree ${sha}\nauthor ${who}\ncommitter ${who}\n\nAdd\n`);
  const decision: Decision = {
    order: { ...order, variables: [] },
    pipeline: {
      projectPath: 'app',
      resolved: { type: 'branch', ref: 'main', sha, commit: parseCommit(sha, object) },
      protected: false,
      name: null,
      plan: { projectId: order.projectId, jobs: [], autoCancel: null, hash: 'b'.repeat(64) },
      status: 'created',
      iid: null,
      supersedes: false,
    },
    refusal: null,
  };
  expect(await running.service.get(CreatedPipelines).store(decision)).toEqual({
    requestId: order.requestId,
    refusal: { status: 400, body: { message: { base: ['Project is deleted!'] } } },
  });
  expect(await pipelinesOf(order.requestId)).toEqual([]);
});

describe('a trigger request', () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

  /** Delivers the message, and waits for what the gateway is told. */
  async function deliver(requestId: string, receivedAt: string): Promise<TriggerOutcome> {
    const data = {
      ...newOrder(),
      requestId,
      receivedAt,
      replyTo: running.bus.instance,
      source: 'trigger',
      channel: 'api',
      trigger: { id: 1, shortToken: 'abcd' },
      payload: '{}',
    };
    const { type } = PipelineTriggered;
    await running.bus.publish([{ id: requestId, type, source: '/gateway', time: receivedAt, data }]);
    return until('the outcome', () => told.splice(0).find((outcome) => outcome.requestId === requestId));
  }

  it('that comes again after its outcome was purged starts no second pipeline', async () => {
    const requestId = randomUUID();
    const receivedAt = daysAgo(28.9);
    expect((await deliver(requestId, receivedAt)).pipeline).toBeDefined();
    await running.database.query('delete from pipelines.trigger_outcomes where request_id = $1', [requestId]);
    expect(await deliver(requestId, daysAgo(30.1))).toEqual({
      requestId,
      refusal: {
        status: 422,
        body: {
          message: {
            base: ['The request was received more than 29 days ago, which is too long ago to start a pipeline'],
          },
        },
      },
    });
    expect(await pipelinesOf(requestId)).toHaveLength(1);
  });

  it('is told its outcome for as long as that is kept', async () => {
    const requestId = randomUUID();
    const { pipeline } = await deliver(requestId, daysAgo(28.9));
    expect((await deliver(requestId, daysAgo(29.5))).pipeline?.id).toBe(pipeline?.id);
  });

  describe('where two pipelines a minute are allowed', () => {
    const limit = (pipelineLimitPerProjectUserSha: number) =>
      running.ask(EditSettings, { pipelineLimitPerProjectUserSha });
    const begin = Date.now() - 3_600_000;
    /** Received so many seconds after that. */
    const receive = (seconds: number) => {
      const time = begin + seconds * 1_000;
      return deliver(uuidv7(time), new Date(time).toISOString());
    };
    const refused = (outcome: TriggerOutcome) => outcome.refusal?.body;

    beforeAll(() => limit(2));
    afterAll(() => limit(0));

    it('is refused when it is the third that was received in one', async () => {
      for (const seconds of [0, 20]) expect(refused(await receive(seconds))).toBeUndefined();
      expect(refused(await receive(59))).toEqual({
        message: { base: [expect.stringContaining('Too many pipelines')] },
      });
      expect(refused(await receive(61))).toBeUndefined();
      // Received before them, decided after them.
      expect(refused(await receive(-1))).toEqual({
        message: { base: [expect.stringContaining('Too many pipelines')] },
      });
      expect(refused(await receive(-41))).toBeUndefined();
    });

    it('is created however many are decided at once that were received one after the other', async () => {
      const waited = [200, 240, 280, 320, 360, 400];
      const requests = waited.map((seconds) => ({ id: uuidv7(begin + seconds * 1_000), seconds }));
      const outcomes = await Promise.all(
        requests.map(({ id, seconds }) =>
          create({ ...newOrder(), requestId: id, receivedAt: new Date(begin + seconds * 1_000).toISOString() }),
        ),
      );
      expect(new Set(outcomes.map(({ id }) => id)).size).toBe(waited.length);
    });
  });
});
