import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreatePipeline, CreateProject } from '#libs/contracts';
import { TestRepository } from '../repositories/testing/test-repository.js';
import { newActor, type RunningService, startService } from '../testing/running-service.js';

const root = newActor();
let running: RunningService;
let projectId: number;

beforeAll(async () => {
  running = await startService('created');
  await mkdir(running.root, { recursive: true });
  const repository = await TestRepository.create(join(running.root, 'app'));
  await repository.commit({ '.gitlab-ci.yml': 'build: {script: [make]}\n' });
  const project = { requestId: randomUUID(), actor: root, path: 'app', importUrl: repository.path };
  ({ id: projectId } = await running.ask(CreateProject, project));
});
afterAll(() => running.stop());

const newOrder = () => ({
  requestId: randomUUID(),
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
