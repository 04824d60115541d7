import type { JobFacts, Page, ProcessMode, ResourceGroupFacts } from '#libs/contracts';
import { readJobs } from '../pipelines/jobs.repository.js';
import type { Sql } from '../pipelines/pipelines.repository.js';

interface Row extends Omit<ResourceGroupFacts, 'createdAt' | 'updatedAt'> {
  createdAt: Date;
  updatedAt: Date;
}

const columns = `id, key, process_mode as "processMode", created_at as "createdAt", updated_at as "updatedAt"`;

function facts({ createdAt, updatedAt, ...row }: Row): ResourceGroupFacts {
  return { ...row, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

export async function findGroup(sql: Sql, projectId: number, key: string): Promise<ResourceGroupFacts | undefined> {
  const rows: Row[] = await sql.query(
    `select ${columns} from pipelines.resource_groups where project_id = $1 and key = $2`,
    [projectId, key],
  );
  return rows[0] && facts(rows[0]);
}

export async function listGroups(
  sql: Sql,
  projectId: number,
  { page, perPage }: { page: number; perPage: number },
): Promise<Page<ResourceGroupFacts>> {
  const rows: Row[] = await sql.query(
    `select ${columns} from pipelines.resource_groups where project_id = $1 order by id desc limit $2 offset $3`,
    [projectId, perPage, (page - 1) * perPage],
  );
  const [counted] = (await sql.query(
    'select count(*)::int as total from pipelines.resource_groups where project_id = $1',
    [projectId],
  )) as { total: number }[];
  return { items: rows.map(facts), total: counted?.total ?? 0 };
}

export async function setProcessMode(
  sql: Sql,
  projectId: number,
  key: string,
  mode: ProcessMode,
): Promise<ResourceGroupFacts | undefined> {
  const [rows] = (await sql.query(
    `update pipelines.resource_groups set process_mode = $3, updated_at = now() where project_id = $1 and key = $2 returning ${columns}`,
    [projectId, key, mode],
  )) as [Row[], number];
  return rows[0] && facts(rows[0]);
}

/** Takes a group for this transaction; every turn is given under it. A transaction takes its pipeline before, never after. */
export async function lockGroup(sql: Sql, projectId: number, key: string): Promise<void> {
  await sql.query('select from pipelines.resource_groups where project_id = $1 and key = $2 for no key update', [
    projectId,
    key,
  ]);
}

/** Who may come next, in order: those that are ready, or those that will be too. */
const upcoming: Record<ProcessMode, { statuses: string; order: string }> = {
  unordered: { statuses: `('waiting_for_resource')`, order: 'updated_at, id' },
  newest_ready_first: { statuses: `('waiting_for_resource')`, order: 'pipeline_id desc, updated_at, id' },
  oldest_first: {
    statuses: `('created', 'scheduled', 'waiting_for_resource')`,
    order: `pipeline_id, status = 'waiting_for_resource' desc, id`,
  },
  newest_first: {
    statuses: `('created', 'scheduled', 'waiting_for_resource')`,
    order: `pipeline_id desc, status = 'waiting_for_resource' desc, id`,
  },
};

/** A job that is in progress holds the group. */
const holding = `('pending', 'running', 'canceling')`;
const ofGroup = `project_id = $1 and resource_group = $2 and not retried and status not in ('success', 'failed', 'canceled', 'skipped')`;

/** The job whose turn it is; null while another one holds the group, while nobody waits, or while the next one is not ready. */
export async function nextInGroup(
  sql: Sql,
  projectId: number,
  key: string,
): Promise<{ id: number; pipelineId: number } | null> {
  const group = await findGroup(sql, projectId, key);
  if (!group) return null;
  const { statuses, order } = upcoming[group.processMode];
  const [next] = (await sql.query(
    `select id, pipeline_id as "pipelineId", status from pipelines.jobs
     where ${ofGroup} and status in ${statuses}
       and not exists (select from pipelines.jobs where ${ofGroup} and status in ${holding})
     order by ${order} limit 1`,
    [projectId, key],
  )) as { id: number; pipelineId: number; status: string }[];
  return next?.status === 'waiting_for_resource' ? next : null;
}

export async function listUpcoming(
  sql: Sql,
  projectId: number,
  { key, processMode }: ResourceGroupFacts,
  { page, perPage }: { page: number; perPage: number },
  now: Date,
): Promise<Page<JobFacts>> {
  const { statuses, order } = upcoming[processMode];
  const rows = (await sql.query(
    `select id, count(*) over ()::int as total from pipelines.jobs where ${ofGroup} and status in ${statuses}
     order by ${order} limit $3 offset $4`,
    [projectId, key, perPage, (page - 1) * perPage],
  )) as { id: number; total: number }[];
  const jobs = await readJobs(
    sql,
    rows.map(({ id }) => id),
    now,
  );
  return { items: jobs, total: rows[0]?.total ?? 0 };
}

/** Groups that somebody waits for and nobody holds: their last holder may have gone with its pipeline. */
export async function idleGroups(sql: Sql): Promise<{ projectId: number; key: string }[]> {
  return sql.query(
    `select distinct project_id as "projectId", resource_group as key from pipelines.jobs as waiting
     where resource_group is not null and not retried and status = 'waiting_for_resource'
       and not exists (select from pipelines.jobs as holder where holder.project_id = waiting.project_id
         and holder.resource_group = waiting.resource_group and not holder.retried
         and holder.status not in ('success', 'failed', 'canceled', 'skipped') and holder.status in ${holding})
     limit 100`,
  ) as Promise<{ projectId: number; key: string }[]>;
}
