import type {
  LinkedPipeline,
  ListShownPipelines,
  LongPage,
  ShownPipeline,
  ShowWholePipeline,
  WholePipeline,
} from '#libs/contracts';
import { conditions } from '../pipelines/pipeline-list.js';
import {
  pipelineColumns,
  pipelineFacts,
  type PipelineRow,
  pipelineTables,
  type Sql,
} from '../pipelines/pipelines.repository.js';
import { protectionRules } from '../projects/project-reader.js';
import type { ProtectionRules } from '../protected-refs/protected-ref.js';
import { type JobOfStage, mayOrder, stagesOf, wishes } from './stages.js';
import { type JobRow, jobsJson, linkedJson, shownJob } from './shown-jobs.repository.js';

/** Longer lists are not counted, as everywhere (trigger-api.md §0.4). */
const mostCounted = 10_000;

interface ShownRow extends PipelineRow {
  title: string;
  authorName: string;
}

const shownColumns = `${pipelineColumns}, split_part(pipeline.commit ->> 'message', e'\\n', 1) as title, pipeline.commit ->> 'authorName' as "authorName"`;

type ListedRow = { total: number; protection: ProtectionRules } & (
  (ShownRow & { groups: JobOfStage[] }) | { [Column in keyof ShownRow]: null }
);

/** One page of the list, in one statement; a row without a pipeline tells the total of a page behind the last one. */
export async function listShownPipelines(sql: Sql, request: ListShownPipelines): Promise<LongPage<ShownPipeline>> {
  const { page, perPage, actor = null } = request;
  const { where, values } = conditions(request);
  const filter = where.join(' and ');
  const rows = (await sql.query(
    `select whole.total, whole.protection, shown.*
     from (
       select (select count(*)::int from (select from pipelines.pipelines as pipeline where ${filter} limit ${mostCounted + 1}) as counted) as total,
         ${protectionRules} as protection
       from pipelines.projects as project where id = $1
     ) as whole left join (
       select ${shownColumns}, (
         select coalesce(json_agg(json_build_object('stage', stage, 'status', status, 'allowFailure', allow_failure, 'count', alike.count) order by stage_idx), '[]')
         from (select stage, stage_idx, status, allow_failure, count(*) from pipelines.jobs
               where pipeline_id = pipeline.id and not retried group by 1, 2, 3, 4) as alike) as groups
       from ${pipelineTables} where pipeline.id in (
         select pipeline.id from pipelines.pipelines as pipeline where ${filter} order by pipeline.id desc
         limit $${values.length + 1} offset $${values.length + 2})
     ) as shown on true order by shown.id desc`,
    // One more than wanted tells whether something follows.
    [...values, perPage + 1, (page - 1) * perPage],
  )) as ListedRow[];
  const items = rows.slice(0, perPage).flatMap((row) => {
    if (row.id === null) return [];
    const mayRun = mayOrder(actor, row, row.protection);
    return [{ ...shownPipeline(row), stages: stagesOf(row.groups), ...wishes(row.groups, mayRun) }];
  });
  const total = rows[0]?.total ?? 0;
  return { items, total: total > mostCounted ? null : total, more: rows.length > perPage };
}

interface WholeRow extends ShownRow {
  failureReason: string | null;
  protection: ProtectionRules;
  upstream: LinkedPipeline | null;
  jobs: JobRow[];
}

/** A pipeline and all its jobs as they are at one moment. @returns undefined when the project has none of this id */
export async function readWholePipeline(
  sql: Sql,
  { projectId, pipelineId, actor = null }: ShowWholePipeline,
  now: Date,
): Promise<WholePipeline | undefined> {
  const [row] = (await sql.query(
    `select ${shownColumns}, pipeline.failure_reason as "failureReason", ${protectionRules} as protection,
       (select ${linkedJson} from pipelines.pipelines as linked join pipelines.projects as elsewhere on elsewhere.id = linked.project_id
        where linked.id = (pipeline.upstream ->> 'pipelineId')::bigint) as upstream,
       ${jobsJson} as jobs
     from ${pipelineTables} where pipeline.id = $1 and pipeline.project_id = $2`,
    [pipelineId, projectId],
  )) as WholeRow[];
  if (!row) return undefined;
  const mayRun = mayOrder(actor, row, row.protection);
  const latest = row.jobs.filter(({ retried }) => !retried).map((job) => ({ ...job, count: 1 }));
  return {
    ...shownPipeline(row),
    stages: stagesOf(latest),
    ...wishes(latest, mayRun),
    upstream: row.upstream,
    failureReason: row.failureReason,
    jobs: row.jobs.map((job) => shownJob(job, mayRun, now)),
  };
}

function shownPipeline(row: ShownRow): Omit<ShownPipeline, 'stages' | 'cancelable' | 'retryable'> {
  return { ...pipelineFacts(row), commit: { title: row.title.trim(), authorName: row.authorName } };
}
