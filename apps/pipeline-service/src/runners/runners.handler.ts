import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  CreateRunner,
  DeleteRunner,
  EditRunner,
  forbidden,
  ListRunners,
  notFound,
  type Page,
  ResetRunnerToken,
  RunnerCall,
  type RunnerDetails,
  ShowRunner,
} from '#libs/contracts';
import { MessagePattern } from '#libs/messaging';
import { DatabaseClock, retryingTransaction } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { heardWithin } from './runner-contact.js';
import { findManaged, insertRunner, readRunners } from './runners.repository.js';

/** Runners, for those who manage them and for themselves (runner-api.md §1). */
@Controller()
export class RunnersHandler {
  constructor(
    private readonly database: DataSource,
    private readonly clock: DatabaseClock,
  ) {}

  @MessagePattern(CreateRunner.pattern)
  create(@Payload() order: CreateRunner): Promise<RunnerDetails> {
    return retryingTransaction(this.database, async (manager) => {
      const now = this.clock.now();
      const id = await insertRunner(manager, order, now);
      const [runner] = await readRunners(manager, [id], now);
      return runner as RunnerDetails;
    });
  }

  @MessagePattern(ListRunners.pattern)
  async list(@Payload() request: ListRunners): Promise<Page<RunnerDetails>> {
    const now = this.clock.now();
    const heard = request.status ? heardWithin(request.status, now) : { from: null, before: null };
    const rows = (await this.database.query(
      `select runner.id, count(*) over ()::int as total from pipelines.runners as runner
       where ($1::bigint is null or runner.runner_type = 'instance_type'
              or exists (select from pipelines.runner_projects where runner_id = runner.id and project_id = $1))
         and ($2::bigint[] is null or runner.creator_id = $3
              or exists (select from pipelines.runner_projects where runner_id = runner.id and project_id = any($2)))
         and ($6::text is null or runner.runner_type = $6)
         and ($7::text is null or (runner.contacted_at is null) = ($7 = 'never_contacted'))
         and ($8::timestamptz is null or runner.contacted_at >= $8) and ($9::timestamptz is null or runner.contacted_at < $9)
         and ($10::boolean is null or runner.paused = $10)
         and ($11::text[] is null or runner.tag_list @> $11)
         and ($12::text is null or exists (select from pipelines.runner_machines as machine
              where machine.runner_id = runner.id and starts_with(machine.info ->> 'version', $12)))
       order by runner.id desc limit $4 offset $5`,
      [
        request.projectId ?? null,
        request.projectIds ?? null,
        request.actor.id,
        request.perPage,
        (request.page - 1) * request.perPage,
        request.type ?? null,
        request.status ?? null,
        heard.from,
        heard.before,
        request.paused ?? null,
        request.tagList ?? null,
        request.versionPrefix ?? null,
      ],
    )) as { id: number; total: number }[];
    const items = await readRunners(
      this.database,
      rows.map(({ id }) => id),
      now,
    );
    return { items, total: rows[0]?.total ?? 0 };
  }

  @MessagePattern(ShowRunner.pattern)
  async show(@Payload() request: ShowRunner): Promise<RunnerDetails> {
    return findManaged(this.database, request, this.clock.now());
  }

  @MessagePattern(EditRunner.pattern)
  async edit(@Payload() order: EditRunner): Promise<RunnerDetails> {
    const now = await findManaged(this.database, order, this.clock.now());
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
    return findManaged(this.database, order, this.clock.now());
  }

  @MessagePattern(DeleteRunner.pattern)
  async delete(@Payload() order: DeleteRunner): Promise<RunnerDetails> {
    const runner = await findManaged(this.database, order, this.clock.now());
    if (!order.actor.admin && runner.projects.length > 1)
      throw forbidden('Runner associated with more than one project');
    await this.database.query('delete from pipelines.runners where id = $1', [order.runnerId]);
    return runner;
  }

  @MessagePattern(ResetRunnerToken.pattern)
  async resetToken(@Payload() order: ResetRunnerToken): Promise<RunnerDetails> {
    const runner = await findManaged(this.database, order, this.clock.now());
    await this.database.query(`update pipelines.runners set token_hash = decode($2, 'hex') where id = $1`, [
      order.runnerId,
      order.tokenHash,
    ]);
    return runner;
  }

  @MessagePattern(RunnerCall.pattern)
  async call(
    @Payload() { tokenHash, what, newTokenHash, systemId }: RunnerCall,
  ): Promise<{ id: number; orphaned: boolean } | null> {
    const [runner] = (await this.database.query(
      `select id, runner_type = 'project_type' and not exists (select from pipelines.runner_projects where runner_id = runner.id) as orphaned
       from pipelines.runners as runner where token_hash = decode($1, 'hex')`,
      [tokenHash],
    )) as { id: number; orphaned: boolean }[];
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
}
