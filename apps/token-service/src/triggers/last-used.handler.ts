import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { PipelineCreated, PipelineDeleted } from '#libs/contracts';
import { EventPattern, type Message } from '#libs/messaging';
import { DataSource } from 'typeorm';

const batch = 500;
/** Nobody looks at the last use so soon, and rows of busy tokens are written once for many pipelines. */
const restMs = 100;

/**
 * Keeps what a token was last used for: the newest pipeline that it created and that is still there (trigger-api.md §2.4). Events may come
 * twice and in any order: `newest_pipeline_id` and `deletion_order` only grow, so that one that comes late changes nothing.
 */
@Controller()
export class LastUsedHandler {
  constructor(private readonly database: DataSource) {}

  @EventPattern(PipelineCreated.type, { batch, restMs })
  async created(@Payload() messages: Message<PipelineCreated>[]): Promise<void> {
    const created = messages.map(({ data }) => data).filter(({ triggerId }) => triggerId);
    if (created.length === 0) return;
    await this.database.query(
      `with newest as (
         select distinct on (trigger_id) * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[])
                                             as pipeline (trigger_id, id, created_at)
          order by trigger_id, id desc),
       -- In order of id, so that two batches cannot wait for each other.
       locked as (
         select id from tokens.triggers where id in (select trigger_id from newest) order by id for no key update)
       update tokens.triggers t
          set last_used = newest.created_at, last_used_pipeline_id = newest.id, newest_pipeline_id = newest.id
         from newest join locked on locked.id = newest.trigger_id
        where t.id = newest.trigger_id and newest.id > t.newest_pipeline_id`,
      [
        created.map((data) => data.triggerId),
        created.map((data) => data.pipelineId),
        created.map((data) => data.createdAt),
      ],
    );
  }

  @EventPattern(PipelineDeleted.type, { batch })
  async deleted(@Payload() messages: Message<PipelineDeleted>[]): Promise<void> {
    const deleted = messages.map(({ data }) => data).filter(({ triggerId }) => triggerId);
    if (deleted.length === 0) return;
    await this.database.query(
      `with deleted as (
         select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[])
                    as pipeline (trigger_id, id, latest_id, latest_at, deletion_order)),
       gone as (
         select trigger_id, array_agg(id) as ids, max(id) as newest from deleted group by trigger_id),
       locked as (
         select id, last_used_pipeline_id, newest_pipeline_id, deletion_order, latest_then_id, latest_then_at from tokens.triggers
          where id in (select trigger_id from gone) order by id for no key update),
       -- What the latest deletion says, of these and of those heard of before.
       remaining as (
         select distinct on (trigger_id) trigger_id, deletion_order, latest_id, latest_at
           from (select trigger_id, deletion_order, latest_id, latest_at from deleted
                 union all select id, deletion_order, latest_then_id, latest_then_at from locked) as said
          order by trigger_id, deletion_order desc)
       update tokens.triggers t
          set last_used = case when moves then remaining.latest_at else t.last_used end,
              last_used_pipeline_id = case when moves then remaining.latest_id else t.last_used_pipeline_id end,
              newest_pipeline_id = greatest(t.newest_pipeline_id, gone.newest),
              deletion_order = remaining.deletion_order, latest_then_id = remaining.latest_id, latest_then_at = remaining.latest_at
         from gone join locked on locked.id = gone.trigger_id join remaining on remaining.trigger_id = gone.trigger_id,
              lateral (select locked.last_used_pipeline_id = any(gone.ids) or gone.newest > locked.newest_pipeline_id as moves) as found
        where t.id = gone.trigger_id`,
      [
        deleted.map((data) => data.triggerId),
        deleted.map((data) => data.pipelineId),
        deleted.map((data) => data.latest?.pipelineId ?? null),
        deleted.map((data) => data.latest?.createdAt ?? null),
        deleted.map((data) => data.order),
      ],
    );
  }
}
