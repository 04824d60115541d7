// needs: postgresql
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreatePipeline, CreateProject, DeletePipeline } from '#libs/contracts';
import { until } from '../../../../libs/messaging/src/testing/until.js';
import { TestRepository } from '../repositories/testing/test-repository.js';
import { newActor, type RunningService, startService } from '../testing/running-service.js';

const root = newActor();

describe('plans', () => {
  let running: RunningService;

  beforeAll(async () => {
    running = await startService('plans');
    await mkdir(running.root, { recursive: true });
  });
  afterAll(() => running.stop());

  const newProject = async (path: string): Promise<{ id: number; repository: TestRepository }> => {
    const repository = await TestRepository.create(join(running.root, path));
    await repository.commit({ '.gitlab-ci.yml': 'build: {script: [make]}\ntest: {script: [make test]}\n' });
    const importUrl = repository.path;
    const { id } = await running.ask(CreateProject, { requestId: randomUUID(), actor: root, path, importUrl });
    return { id, repository };
  };
  const newPipeline = async (projectId: number): Promise<number> => {
    const order = { requestId: randomUUID(), projectId, ref: 'main', actor: root, variables: [], receivedAt: now() };
    return (await running.ask(CreatePipeline, order)).id;
  };
  const deletePipeline = (projectId: number, pipelineId: number) =>
    running.ask(DeletePipeline, { projectId, pipelineId, actor: root });
  const now = (): string => new Date().toISOString();
  const plansOf = async (projectId: number): Promise<number[]> => {
    const rows: { id: number }[] = await running.database.query(
      'select id from pipelines.plans where project_id = $1 order by id',
      [projectId],
    );
    return rows.map(({ id }) => id);
  };
  const count = async (table: string, condition: string, value: number): Promise<number> => {
    const [row] = (await running.database.query(
      `select count(*)::int as count from pipelines.${table} where ${condition} = $1`,
      [value],
    )) as { count: number }[];
    return row?.count ?? 0;
  };

  it('are shared by the pipelines of a project that begin with the same jobs', async () => {
    const [one, other] = [await newProject('one'), await newProject('other')];
    await Promise.all([newPipeline(one.id), newPipeline(one.id), newPipeline(other.id)]);
    await newPipeline(one.id);
    const [plan, ...more] = await plansOf(one.id);
    expect(more).toEqual([]);
    expect(await plansOf(other.id)).toHaveLength(1);
    expect(await count('planned_jobs', 'plan_id', plan as number)).toBe(2);
    await one.repository.commit({ '.gitlab-ci.yml': 'build: {script: [make all]}\n' });
    await newPipeline(one.id);
    expect(await plansOf(one.id)).toHaveLength(2);
  });

  it('go with the last pipeline that has them, and the jobs with each', async () => {
    const { id } = await newProject('last');
    const [first, second] = [await newPipeline(id), await newPipeline(id)];
    await deletePipeline(id, first);
    expect(await count('jobs', 'pipeline_id', first)).toBe(0);
    expect(await count('jobs', 'pipeline_id', second)).toBe(2);
    expect(await plansOf(id)).toHaveLength(1);
    await deletePipeline(id, second);
    expect(await plansOf(id)).toEqual([]);
    expect(await count('jobs', 'project_id', id)).toBe(0);
    await newPipeline(id);
    expect(await plansOf(id)).toHaveLength(1);
  });

  it('stay for a pipeline that is being created while the last one is deleted', async () => {
    const { id } = await newProject('race');
    const pipeline = await newPipeline(id);
    const [plan] = await plansOf(id);
    let deleted: Promise<unknown> | undefined;
    await running.database.transaction(async (creation) => {
      await creation.query('select from pipelines.plans where id = $1 for key share', [plan]);
      deleted = deletePipeline(id, pipeline);
      await until('the deletion to wait', async () => {
        const waiting: unknown[] = await running.database.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      await creation.query(
        `insert into pipelines.pipelines (project_id, iid, source, ref, tag, protected, sha, commit, status, variables, plan_id, created_at, updated_at)
         select project_id, iid + 1, source, ref, tag, protected, sha, commit, status, variables, plan_id, created_at, updated_at
         from pipelines.pipelines where id = $1`,
        [pipeline],
      );
    });
    await deleted;
    expect(await plansOf(id)).toEqual([plan]);
  });
});
