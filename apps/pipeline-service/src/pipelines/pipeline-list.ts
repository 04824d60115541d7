import type { ListPipelines, Page, PipelineFacts, Status } from '#libs/contracts';
import { pipelineTables, readPipelines, type Sql } from './pipelines.repository.js';

const finished: Status[] = ['success', 'failed', 'canceled'];

const orders: Record<ListPipelines['orderBy'], string> = {
  id: 'pipeline.id',
  status: 'pipeline.status',
  ref: 'pipeline.ref',
  updated_at: 'pipeline.updated_at',
  user_id: 'pipeline.user_id',
};

/** One page of a project's pipelines (trigger-api.md §4.1). Values are parameters of the statement, order and scope come from lists. */
export async function listPipelines(sql: Sql, request: ListPipelines): Promise<Page<PipelineFacts>> {
  const { where, values } = conditions(request);
  const direction = request.sort === 'asc' ? 'asc' : 'desc';
  const rows = (await sql.query(
    `select pipeline.id, count(*) over ()::int as total from ${pipelineTables}
     where ${where.join(' and ')} order by ${orders[request.orderBy]} ${direction}, pipeline.id ${direction}
     limit $${values.length + 1} offset $${values.length + 2}`,
    [...values, request.perPage, (request.page - 1) * request.perPage],
  )) as { id: number; total: number }[];
  const total = rows[0]?.total ?? (request.page > 1 ? await count(sql, where, values) : 0);
  return {
    items: await readPipelines(
      sql,
      rows.map(({ id }) => id),
    ),
    total,
  };
}

/** A page behind the last one has no row to tell the total. */
async function count(sql: Sql, where: string[], values: unknown[]): Promise<number> {
  const [row] = (await sql.query(
    `select count(*)::int as total from ${pipelineTables} where ${where.join(' and ')}`,
    values,
  )) as { total: number }[];
  return row?.total ?? 0;
}

function notChild(table: string): string {
  return `${table}.source <> 'parent_pipeline'`;
}

type Filter = Pick<ListPipelines, 'projectId'> &
  Partial<Omit<ListPipelines, 'page' | 'perPage' | 'orderBy' | 'sort' | 'replyType'>> & { triggerId?: number | null };

/** What a pipeline must be, for a statement over `pipelineTables`, and the values of its parameters from `$1` on. */
export function conditions(request: Filter): { where: string[]; values: unknown[] } {
  const where: string[] = [];
  const values: unknown[] = [];
  const also = (condition: string, value: unknown): void => {
    if (value === null || value === undefined) return;
    values.push(value);
    where.push(condition.replace('?', `$${values.length}`));
  };
  also('pipeline.project_id = ?', request.projectId);
  also('pipeline.status = ?', request.status);
  also('pipeline.source = ?', request.source);
  // Children are found by their parents; a list has them only when it is asked for them.
  if (!request.source) where.push(notChild('pipeline'));
  also('pipeline.ref = ?', request.ref);
  also('pipeline.sha = ?', request.sha);
  also('owner.username = ?', request.username);
  also('pipeline.trigger_id = ?', request.triggerId);
  also('pipeline.name = ?', request.name);
  also('(pipeline.yaml_errors is not null) = ?', request.yamlErrors);
  also('pipeline.updated_at > ?', request.updatedAfter);
  also('pipeline.updated_at < ?', request.updatedBefore);
  also('pipeline.created_at > ?', request.createdAfter);
  also('pipeline.created_at < ?', request.createdBefore);
  if (request.scope === 'running' || request.scope === 'pending') also('pipeline.status = ?', request.scope);
  if (request.scope === 'finished') also('pipeline.status = any(?)', finished);
  if (request.scope === 'branches' || request.scope === 'tags') {
    also('pipeline.tag = ?', request.scope === 'tags');
    where.push(`pipeline.id in ${latestOfRefs(`$${values.length}`)}`);
  }
  return { where, values };
}

/**
 * SQL for the ids of the latest pipelines of the refs of project `$1`. It goes from ref to ref by the index, since comparing each pipeline with all
 * later ones takes minutes once there are some ten thousand.
 * @param tag parameter that tells tags from branches
 */
function latestOfRefs(tag: string): string {
  const inProject = 'from pipelines.pipelines as other where other.project_id = $1';
  return `(with recursive refs as (
      (select other.ref ${inProject} order by other.ref limit 1)
      union all
      select (select other.ref ${inProject} and other.ref > refs.ref order by other.ref limit 1) from refs where refs.ref is not null
    ) select (select other.id ${inProject} and other.ref = refs.ref and other.tag = ${tag} and ${notChild('other')} order by other.id desc limit 1)
      from refs where refs.ref is not null)`;
}
