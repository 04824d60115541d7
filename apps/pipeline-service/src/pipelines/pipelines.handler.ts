import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  CancelPipeline,
  CreatePipeline,
  DeletePipeline,
  forbidden,
  ListPipelines,
  notFound,
  type Page,
  PipelineDeleted,
  type PipelineFacts,
  type PipelineVariableFacts,
  preconditionFailed,
  Refusal,
  RenamePipeline,
  RetryPipeline,
  ShowLatestPipeline,
  ShowPipeline,
  ShowPipelineVariables,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource, type EntityManager } from 'typeorm';
import { ProjectReader } from '../projects/project-reader.js';
import type { ProtectionRules } from '../protected-refs/protected-ref.js';
import { Repositories } from '../repositories/repositories.js';
import { RepositoryUnreadable } from '../repositories/repository-errors.js';
import { cancelPipelines, withChildren } from './cancel-pipelines.js';
import { repeatJobs, reviveDownstream } from './job-attempts.js';
import { PipelineCreation } from './pipeline-creation.js';
import { listPipelines } from './pipeline-list.js';
import { checkMayRun, mayReadVariables } from './pipeline-rights.js';
import { readPipelines, type Sql } from './pipelines.repository.js';
import { removeUnusedPlan } from './plans.repository.js';
import { lockPipelines, processPipeline } from './statuses.repository.js';

interface Found {
  userId: number | null;
  triggerId: number | null;
  ref: string;
  tag: boolean;
  updatedAt: Date;
}

/** Questions and orders about pipelines (trigger-api.md §4.1). Whether the actor may ask at all, the gateway has seen to. */
@Controller()
export class PipelinesHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
    private readonly projects: ProjectReader,
    private readonly repositories: Repositories,
    private readonly creation: PipelineCreation,
  ) {}

  @MessagePattern(ListPipelines.pattern)
  list(@Payload() request: ListPipelines): Promise<Page<PipelineFacts>> {
    return listPipelines(this.database, request);
  }

  @MessagePattern(ShowPipeline.pattern)
  async show(@Payload() { projectId, pipelineId }: ShowPipeline): Promise<PipelineFacts> {
    await find(this.database, projectId, pipelineId);
    return facts(this.database, pipelineId);
  }

  @MessagePattern(ShowLatestPipeline.pattern)
  async showLatest(@Payload() { projectId, ref }: ShowLatestPipeline): Promise<PipelineFacts> {
    const project = (await this.projects.load([projectId])).get(projectId);
    // Whatever is missing on the way, GitLab says 403 here.
    if (!project?.address) throw forbidden();
    const tip = await this.repositories
      .resolve(project.address, ref ?? project.defaultBranch)
      .catch((error: unknown) => {
        if (error instanceof RepositoryUnreadable)
          throw new Refusal(503, { message: error.message }, { 'Retry-After': '5' });
        throw forbidden();
      });
    const [newest] = (await this.database.query(
      `select id from pipelines.pipelines where project_id = $1 and sha = $2 and ref = $3 and source <> 'parent_pipeline' order by id desc limit 1`,
      [projectId, tip.sha, tip.ref],
    )) as { id: number }[];
    if (!newest) throw forbidden();
    return facts(this.database, newest.id);
  }

  @MessagePattern(ShowPipelineVariables.pattern)
  async showVariables(
    @Payload() { projectId, pipelineId, actor }: ShowPipelineVariables,
  ): Promise<PipelineVariableFacts[]> {
    const found = await find(this.database, projectId, pipelineId);
    if (!mayReadVariables(actor, found.userId)) throw forbidden();
    const [row] = (await this.database.query('select variables from pipelines.pipelines where id = $1', [
      pipelineId,
    ])) as {
      variables: PipelineVariableFacts[];
    }[];
    return row?.variables ?? [];
  }

  @MessagePattern(CreatePipeline.pattern)
  async create(@Payload() order: CreatePipeline): Promise<PipelineFacts> {
    const outcome = await this.creation
      .create({ ...order, source: 'api', channel: null, trigger: null, upstream: null })
      .catch((error: unknown) => {
        if (error instanceof RepositoryUnreadable) throw new Refusal(400, { message: { base: [error.message] } });
        throw error;
      });
    if (outcome.refusal) throw new Refusal(outcome.refusal.status, outcome.refusal.body);
    return outcome.pipeline as PipelineFacts;
  }

  @MessagePattern(CancelPipeline.pattern)
  async cancel(@Payload() { projectId, pipelineId, actor }: CancelPipeline): Promise<PipelineFacts> {
    const protection = await this.protection(projectId);
    return this.outbox.transaction(async (manager, say) => {
      const found = await find(manager, projectId, pipelineId);
      checkMayRun({ ...found, protection }, actor);
      const ids = await withChildren(manager, pipelineId);
      await lockPipelines(manager, ids);
      await cancelPipelines(manager, say, ids, this.clock.now());
      return facts(manager, pipelineId);
    });
  }

  @MessagePattern(RetryPipeline.pattern)
  async retry(@Payload() { projectId, pipelineId, actor }: RetryPipeline): Promise<PipelineFacts> {
    const protection = await this.protection(projectId);
    return this.outbox.transaction(async (manager, say) => {
      const found = await find(manager, projectId, pipelineId);
      checkMayRun({ ...found, protection }, actor);
      await lockPipelines(manager, [pipelineId]);
      const now = this.clock.now();
      const failed = (await manager.query(
        `select id, name from pipelines.jobs where pipeline_id = $1 and not retried and status in ('failed', 'canceled')`,
        [pipelineId],
      )) as { id: number; name: string }[];
      if (failed.length > 0) {
        await repeatJobs(
          manager,
          failed.map(({ id }) => id),
          actor.id,
          now,
        );
        await reviveDownstream(manager, say, pipelineId, new Set(failed.map(({ name }) => name)), now);
        await processPipeline(manager, say, pipelineId, now);
      }
      return facts(manager, pipelineId);
    });
  }

  @MessagePattern(RenamePipeline.pattern)
  async rename(@Payload() { projectId, pipelineId, name }: RenamePipeline): Promise<PipelineFacts> {
    await find(this.database, projectId, pipelineId);
    await this.database.query('update pipelines.pipelines set name = $2, updated_at = $3 where id = $1', [
      pipelineId,
      name,
      this.clock.now(),
    ]);
    return facts(this.database, pipelineId);
  }

  @MessagePattern(DeletePipeline.pattern)
  delete(@Payload() { projectId, pipelineId, unmodifiedSince }: DeletePipeline): Promise<{ jobsWithLogs: number[] }> {
    return this.outbox.transaction(async (manager, say) => {
      await lockPipelines(manager, [pipelineId]);
      const found = await find(manager, projectId, pipelineId);
      if (unmodifiedSince && found.updatedAt > new Date(unmodifiedSince)) throw preconditionFailed();
      const logs = (await manager.query(
        'select id from pipelines.jobs where pipeline_id = $1 and trace_size is not null',
        [pipelineId],
      )) as {
        id: number;
      }[];
      const [[gone]] = (await manager.query(
        'delete from pipelines.pipelines where id = $1 returning plan_id as "planId"',
        [pipelineId],
      )) as [{ planId: number | null }[], number];
      await removeUnusedPlan(manager, gone?.planId ?? null);
      say(PipelineDeleted, {
        pipelineId,
        projectId,
        triggerId: found.triggerId,
        ...(await latestOf(manager, found.triggerId)),
      });
      return { jobsWithLogs: logs.map(({ id }) => id) };
    });
  }

  /** Read before a transaction: whoever has the embedded database's one session must not wait for somebody who wants it. */
  private async protection(projectId: number): Promise<ProtectionRules> {
    return (await this.projects.load([projectId])).get(projectId)?.protection ?? { branches: [], tags: [] };
  }
}

async function find(sql: Sql, projectId: number, pipelineId: number): Promise<Found> {
  const [found] = (await sql.query(
    `select user_id as "userId", trigger_id as "triggerId", ref, tag, updated_at as "updatedAt"
     from pipelines.pipelines where id = $1 and project_id = $2`,
    [pipelineId, projectId],
  )) as Found[];
  if (!found) throw notFound();
  return found;
}

async function facts(sql: Sql, pipelineId: number): Promise<PipelineFacts> {
  const [pipeline] = await readPipelines(sql, [pipelineId]);
  if (!pipeline) throw notFound();
  return pipeline;
}

/**
 * What "last used" of a trigger goes back to when its newest pipeline is deleted (trigger-api.md §2.4). Deletions of one trigger's pipelines wait for each
 * other, so that none names a pipeline that another one deletes, and the numbers tell their order.
 */
async function latestOf(
  manager: EntityManager,
  triggerId: number | null,
): Promise<{ order: number; latest: { pipelineId: number; createdAt: string } | null }> {
  if (triggerId === null) return { order: 0, latest: null };
  await manager.query(`select pg_advisory_xact_lock(hashtextextended('pipelines of trigger ' || $1::text, 0))`, [
    triggerId,
  ]);
  const [{ order }] = (await manager.query(`select nextval('pipelines.pipelines_id_seq') as order`)) as [
    { order: number },
  ];
  const [newest] = (await manager.query(
    'select id, created_at as "createdAt" from pipelines.pipelines where trigger_id = $1 order by id desc limit 1',
    [triggerId],
  )) as { id: number; createdAt: Date }[];
  return { order, latest: newest ? { pipelineId: newest.id, createdAt: newest.createdAt.toISOString() } : null };
}
