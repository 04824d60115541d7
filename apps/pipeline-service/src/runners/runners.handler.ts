import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  CreateRunner,
  DeleteRunner,
  EditRunner,
  forbidden,
  ListRunners,
  type ManagedRunner,
  notFound,
  type Page,
  ResetRunnerToken,
  RunnerCall,
  type RunnerDetails,
  ShowRunner,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { retryingTransaction } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { readRunners } from './runners.repository.js';

/** Runners, for those who manage them and for themselves (runner-api.md §1). */
@Controller()
export class RunnersHandler {
  constructor(private readonly database: DataSource) {}

  @MessagePattern(CreateRunner.pattern)
  create(@Payload() order: CreateRunner): Promise<RunnerDetails> {
    return retryingTransaction(this.database, async (manager) => {
      const [added] = (await manager.query(
        `insert into pipelines.runners (runner_type, description, paused, locked, run_untagged, tag_list, access_level, maximum_timeout,
           maintenance_note, creator_id, token_hash, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, decode($11, 'hex'), $12) returning id`,
        [
          order.runnerType,
          order.description,
          order.paused,
          order.locked,
          order.runUntagged,
          order.tagList,
          order.accessLevel,
          order.maximumTimeout ?? null,
          order.maintenanceNote ?? null,
          order.creatorId,
          order.tokenHash,
          new Date(),
        ],
      )) as { id: number }[];
      const id = (added as { id: number }).id;
      if (order.projectId)
        await manager.query('insert into pipelines.runner_projects values ($1, $2)', [id, order.projectId]);
      const [runner] = await readRunners(manager, [id], new Date());
      return runner as RunnerDetails;
    });
  }

  @MessagePattern(ListRunners.pattern)
  async list(@Payload() { projectId, projectIds, actor, page, perPage }: ListRunners): Promise<Page<RunnerDetails>> {
    const rows = (await this.database.query(
      `select runner.id, count(*) over ()::int as total from pipelines.runners as runner
       where ($1::bigint is null or runner.runner_type = 'instance_type'
              or exists (select from pipelines.runner_projects where runner_id = runner.id and project_id = $1))
         and ($2::bigint[] is null or runner.creator_id = $3
              or exists (select from pipelines.runner_projects where runner_id = runner.id and project_id = any($2)))
       order by runner.id desc limit $4 offset $5`,
      [projectId ?? null, projectIds ?? null, actor.id, perPage, (page - 1) * perPage],
    )) as { id: number; total: number }[];
    const items = await readRunners(
      this.database,
      rows.map(({ id }) => id),
      new Date(),
    );
    return { items, total: rows[0]?.total ?? 0 };
  }

  @MessagePattern(ShowRunner.pattern)
  async show(@Payload() request: ShowRunner): Promise<RunnerDetails> {
    return this.#managed(request);
  }

  @MessagePattern(EditRunner.pattern)
  async edit(@Payload() order: EditRunner): Promise<RunnerDetails> {
    const now = await this.#managed(order);
    await this.database.query(
      `update pipelines.runners set description = $2, paused = $3, locked = $4, run_untagged = $5, tag_list = $6, access_level = $7,
         maximum_timeout = $8, maintenance_note = $9 where id = $1`,
      [
        order.runnerId,
        order.description ?? now.description,
        order.paused ?? now.paused,
        order.locked ?? now.locked,
        order.runUntagged ?? now.runUntagged,
        order.tagList ?? now.tagList,
        order.accessLevel ?? now.accessLevel,
        order.maximumTimeout === undefined ? now.maximumTimeout : order.maximumTimeout,
        order.maintenanceNote === undefined ? now.maintenanceNote : order.maintenanceNote,
      ],
    );
    return this.#managed(order);
  }

  @MessagePattern(DeleteRunner.pattern)
  async delete(@Payload() order: DeleteRunner): Promise<RunnerDetails> {
    const runner = await this.#managed(order);
    await this.database.query('delete from pipelines.runners where id = $1', [order.runnerId]);
    return runner;
  }

  @MessagePattern(ResetRunnerToken.pattern)
  async resetToken(@Payload() order: ResetRunnerToken): Promise<RunnerDetails> {
    const runner = await this.#managed(order);
    await this.database.query(`update pipelines.runners set token_hash = decode($2, 'hex') where id = $1`, [
      order.runnerId,
      order.tokenHash,
    ]);
    return runner;
  }

  @MessagePattern(RunnerCall.pattern)
  async call(@Payload() { tokenHash, what, newTokenHash, systemId }: RunnerCall): Promise<{ id: number } | null> {
    const [runner] = (await this.database.query(
      `select id from pipelines.runners where token_hash = decode($1, 'hex')`,
      [tokenHash],
    )) as {
      id: number;
    }[];
    if (!runner) return null;
    if (what === 'reset' && newTokenHash)
      await this.database.query(`update pipelines.runners set token_hash = decode($2, 'hex') where id = $1`, [
        runner.id,
        newTokenHash,
      ]);
    if (what === 'remove') await this.database.query('delete from pipelines.runners where id = $1', [runner.id]);
    if (what === 'forget-machine') {
      const [gone] = (await this.database.query(
        'delete from pipelines.runner_machines where runner_id = $1 and system_id = $2 returning 1',
        [runner.id, systemId ?? ''],
      )) as [unknown[], number];
      if (gone.length === 0) throw notFound();
    }
    return runner;
  }

  /** Administrators manage every runner, others those they made and those of projects they maintain. */
  async #managed({ runnerId, actor, maintained }: ManagedRunner): Promise<RunnerDetails> {
    const [runner] = await readRunners(this.database, [runnerId], new Date());
    if (!runner) throw notFound();
    const [row] = (await this.database.query('select creator_id as "creatorId" from pipelines.runners where id = $1', [
      runnerId,
    ])) as {
      creatorId: number;
    }[];
    const own = row?.creatorId === actor.id || runner.projectIds.some((id) => maintained.includes(id));
    if (!actor.admin && !own) throw forbidden();
    return runner;
  }
}
