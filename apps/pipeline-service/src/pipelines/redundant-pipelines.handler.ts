import type { AutoCancel } from '#libs/ci-config';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { PipelineSupersedes, type Status } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { DatabaseClock, Outbox } from '#libs/persistence';
import { DataSource } from 'typeorm';
import { cancelPipelines, withChildren } from './cancel-pipelines.js';
import { type JobToCancel, redundantJobs } from './redundant-jobs.js';
import { lockPipelines } from './statuses.repository.js';

/** What has not ended, and does not wait for a person. */
const underWay: Status[] = [
  'created',
  'waiting_for_resource',
  'preparing',
  'waiting_for_callback',
  'pending',
  'running',
  'scheduled',
];

/** `interruptible` and `workflow:auto_cancel:on_new_commit`: a pipeline for a newer commit cancels those of the same ref (ci-config.md §6.5). */
@Controller()
export class RedundantPipelinesHandler {
  constructor(
    private readonly database: DataSource,
    private readonly outbox: Outbox,
    private readonly clock: DatabaseClock,
  ) {}

  @EventPattern(PipelineSupersedes.type, { concurrency: 8 })
  async cancel(@Payload() { data: { pipelineId } }: Message<PipelineSupersedes>): Promise<void> {
    const older = (await this.database.query(
      `select older.id, plan.auto_cancel as "autoCancel" from pipelines.pipelines as newer
         join pipelines.pipelines as older on older.project_id = newer.project_id and older.ref = newer.ref and older.tag = newer.tag
           and older.id < newer.id and older.sha <> newer.sha
         left join pipelines.plans as plan on plan.id = older.plan_id
       where newer.id = $1 and older.source <> 'parent_pipeline' and older.status = any($2) order by older.id`,
      [pipelineId, underWay],
    )) as { id: number; autoCancel: AutoCancel | null }[];
    for (const { id, autoCancel } of older) await this.#cancelOne(id, autoCancel);
  }

  async #cancelOne(pipelineId: number, autoCancel: AutoCancel | null): Promise<void> {
    await this.outbox.transaction(async (manager, say) => {
      const ids = await withChildren(manager, pipelineId);
      await lockPipelines(manager, ids);
      const jobs = (await manager.query(
        `select started_at is not null as started, coalesce((definition ->> 'interruptible')::boolean, false) as interruptible
         from pipelines.jobs join pipelines.planned_jobs using (plan_id, position) where pipeline_id = any($1::bigint[])`,
        [ids],
      )) as JobToCancel[];
      const redundant = redundantJobs(autoCancel, jobs);
      if (redundant !== 'none') await cancelPipelines(manager, say, ids, this.clock.now(), redundant);
    });
  }
}
