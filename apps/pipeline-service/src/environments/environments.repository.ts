import type { Environment } from '#libs/ci-config';
import type { EnvironmentFacts, ListEnvironments, Page } from '#libs/contracts';
import type { Sql } from '../pipelines/pipelines.repository.js';
import { environmentSlug } from './environment-slug.js';

interface Row extends Omit<EnvironmentFacts, 'createdAt' | 'updatedAt'> {
  createdAt: Date;
  updatedAt: Date;
}

const columns = `id, name, slug, external_url as "externalUrl", state, tier, created_at as "createdAt", updated_at as "updatedAt"`;

function facts({ createdAt, updatedAt, ...row }: Row): EnvironmentFacts {
  return { ...row, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

/** Records where a job that is handed out deploys to. */
export async function noteEnvironment(
  sql: Sql,
  job: { id: number; projectId: number },
  { name }: Environment,
  { tier, url }: { tier: string; url: string | null },
  now: Date,
): Promise<void> {
  await sql.query(
    `with environment as (
       insert into pipelines.environments (project_id, name, slug, state, tier, created_at, updated_at)
       values ($2, $3, $4, 'available', $5, $7, $7) on conflict (project_id, name) do update set tier = excluded.tier returning id
     )
     update pipelines.jobs set environment_id = environment.id, environment_url = $6 from environment where jobs.id = $1`,
    [job.id, job.projectId, name, environmentSlug(name), tier, url, now],
  );
}

/** A job that starts or stops an environment has done so; others only use it (ci-config.md §1). */
export async function settleEnvironment(sql: Sql, jobId: number, { action }: Environment, now: Date): Promise<void> {
  const state = { start: 'available', stop: 'stopped' }[action];
  if (!state) return;
  await sql.query(
    `update pipelines.environments as environment
     set state = $2, external_url = coalesce(job.environment_url, external_url), updated_at = $3
     from pipelines.jobs as job where job.id = $1 and environment.id = job.environment_id`,
    [jobId, state, now],
  );
}

export async function findEnvironment(
  sql: Sql,
  projectId: number,
  environmentId: number,
): Promise<EnvironmentFacts | undefined> {
  const rows: Row[] = await sql.query(
    `select ${columns} from pipelines.environments where project_id = $1 and id = $2`,
    [projectId, environmentId],
  );
  return rows[0] && facts(rows[0]);
}

export async function listEnvironments(sql: Sql, request: ListEnvironments): Promise<Page<EnvironmentFacts>> {
  const { projectId, name = null, search = null, states = null, page, perPage } = request;
  const where = `project_id = $1 and ($2::text is null or name = $2) and ($3::text is null or position(lower($3) in lower(name)) > 0)
    and ($4::text[] is null or state = any($4))`;
  const values = [projectId, name, search, states];
  const rows: Row[] = await sql.query(
    `select ${columns} from pipelines.environments where ${where} order by name limit $5 offset $6`,
    [...values, perPage, (page - 1) * perPage],
  );
  const [counted] = (await sql.query(
    `select count(*)::int as total from pipelines.environments where ${where}`,
    values,
  )) as { total: number }[];
  return { items: rows.map(facts), total: counted?.total ?? 0 };
}
