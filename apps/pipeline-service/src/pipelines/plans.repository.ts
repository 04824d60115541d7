import { createHash } from 'node:crypto';
import type { Job } from '#libs/ci-config';
import type { Status } from '#libs/contracts';
import type { EntityManager } from 'typeorm';

/** A job of the plan and the status it starts in. */
export interface FirstJob {
  job: Job;
  status: Status;
  /** Seconds. */
  timeout: number;
}

/** The jobs that a pipeline begins with. */
export interface Plan {
  projectId: number;
  jobs: FirstJob[];
  /** Of everything that is in `jobs`, in hexadecimal. */
  hash: string;
}

export function planOf(projectId: number, jobs: FirstJob[]): Plan {
  return { projectId, jobs, hash: createHash('sha256').update(JSON.stringify(jobs)).digest('hex') };
}

/** A plan's id by its project and hash. */
export type PlanIds = Map<string, number>;

export function planKey({ projectId, hash }: Pick<Plan, 'projectId' | 'hash'>): string {
  return `${projectId} ${hash}`;
}

/**
 * SQL of the plans that are there already, kept from being removed until the transaction ends (`removeUnusedPlan`).
 * `$1` and `$2`, or the parameters given instead, are the projects and the hashes.
 */
export const knownPlans = (projects = '$1', hashes = '$2'): string =>
  `select plan.id, plan.project_id as "projectId", encode(plan.hash, 'hex') as hash
   from pipelines.plans as plan join unnest(${projects}::bigint[], ${hashes}::text[]) as wanted (project_id, hash)
     on plan.project_id = wanted.project_id and plan.hash = decode(wanted.hash, 'hex')
   order by plan.id for key share of plan`;

/**
 * Stores plans that are not there. The projects are locked by this transaction, so nobody else adds plans of theirs; one may have been
 * added since it was looked for.
 */
export async function addPlans(manager: EntityManager, plans: Plan[]): Promise<PlanIds> {
  const rows = (await manager.query(
    `insert into pipelines.plans (project_id, hash) select project_id, decode(hash, 'hex') from unnest($1::bigint[], $2::text[]) as plan (project_id, hash)
     on conflict (project_id, hash) do update set hash = excluded.hash
     returning id, project_id as "projectId", encode(hash, 'hex') as hash`,
    [plans.map(({ projectId }) => projectId), plans.map(({ hash }) => hash)],
  )) as { id: number; projectId: number; hash: string }[];
  const ids: PlanIds = new Map(rows.map((row) => [planKey(row), row.id]));
  const jobs = plans.flatMap((plan) => plan.jobs.map((job, position) => jobRow(ids.get(planKey(plan)), position, job)));
  await manager.query(
    `insert into pipelines.planned_jobs
     select * from json_populate_recordset(null::pipelines.planned_jobs, $1) on conflict do nothing`,
    [JSON.stringify(jobs)],
  );
  return ids;
}

/** The columns of `pipelines.planned_jobs`. */
function jobRow(planId: number | undefined, position: number, { job, status, timeout }: FirstJob): object {
  return {
    plan_id: planId,
    position,
    name: job.name,
    stage: job.stage,
    stage_idx: job.stageIdx,
    status,
    when: job.when,
    allow_failure: job.allowFailure,
    scheduling: job.scheduling,
    needs: job.needs,
    tags: job.tags,
    timeout_seconds: timeout,
    definition: job,
  };
}

/** Takes a plan away that no pipeline has any more. Whoever is about to use it is waited for, which is why this takes two statements. */
export async function removeUnusedPlan(manager: EntityManager, planId: number | null): Promise<void> {
  if (planId === null) return;
  await manager.query('select from pipelines.plans where id = $1 for update', [planId]);
  await manager.query(
    'delete from pipelines.plans where id = $1 and not exists (select from pipelines.pipelines where plan_id = $1)',
    [planId],
  );
}
