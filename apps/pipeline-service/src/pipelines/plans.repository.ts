import { createHash } from 'node:crypto';
import type { AutoCancel, Job } from '#libs/ci-config';
import type { Status } from '#libs/contracts';
import { retryingTransaction } from '#libs/persistence';
import type { DataSource, EntityManager } from 'typeorm';

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
  /** What cancels the pipeline; null: the file says nothing. */
  autoCancel: AutoCancel | null;
  /** Of everything that is in here, in hexadecimal. */
  hash: string;
}

export function planOf(projectId: number, jobs: FirstJob[], autoCancel: AutoCancel | null = null): Plan {
  const content = JSON.stringify(autoCancel ? { jobs, autoCancel } : jobs);
  return { projectId, jobs, autoCancel, hash: createHash('sha256').update(content).digest('hex') };
}

/**
 * Stores plans that are not there, with all their jobs or not at all. Those of a project that is gone are left out. Two processes may add the same
 * plan at once: the second waits for the first, which is why they come in order.
 */
export async function addPlans(database: DataSource, plans: Plan[]): Promise<void> {
  const missing = new Map(plans.map((plan) => [`${plan.projectId} ${plan.hash}`, plan]));
  const sorted = [...missing.keys()].sort().map((key) => missing.get(key) as Plan);
  await retryingTransaction(database, async (manager) => {
    const rows = (await manager.query(
      `insert into pipelines.plans (project_id, hash, auto_cancel)
       select project.id, decode(hash, 'hex'), auto_cancel
       from unnest($1::bigint[], $2::text[], $3::jsonb[]) with ordinality as plan (project_id, hash, auto_cancel, position)
         join pipelines.projects as project on project.id = plan.project_id
       order by position
       on conflict (project_id, hash) do update set hash = excluded.hash
       returning id, project_id as "projectId", encode(hash, 'hex') as hash`,
      [
        sorted.map(({ projectId }) => projectId),
        sorted.map(({ hash }) => hash),
        sorted.map(({ autoCancel }) => autoCancel && JSON.stringify(autoCancel)),
      ],
    )) as { id: number; projectId: number; hash: string }[];
    const jobs = rows.flatMap(({ id, projectId, hash }) =>
      (missing.get(`${projectId} ${hash}`)?.jobs ?? []).map((job, position) => jobRow(id, position, job)),
    );
    await manager.query(
      `insert into pipelines.planned_jobs
       select * from json_populate_recordset(null::pipelines.planned_jobs, $1) on conflict do nothing`,
      [JSON.stringify(jobs)],
    );
    const groups = rows.flatMap(({ projectId, hash }) =>
      (missing.get(`${projectId} ${hash}`)?.jobs ?? []).flatMap(({ job }) =>
        job.resourceGroup ? [{ projectId, key: job.resourceGroup }] : [],
      ),
    );
    await addResourceGroups(manager, groups);
  });
}

/** They are there, to be shown and changed, as soon as a job names them. */
async function addResourceGroups(manager: EntityManager, groups: { projectId: number; key: string }[]): Promise<void> {
  if (groups.length === 0) return;
  await manager.query(
    `insert into pipelines.resource_groups (project_id, key)
     select distinct * from unnest($1::bigint[], $2::text[]) as named (project_id, key) order by 1, 2 on conflict do nothing`,
    [groups.map(({ projectId }) => projectId), groups.map(({ key }) => key)],
  );
}

/** Whether a job stands for another pipeline, and runs nothing itself. */
function isBridge({ trigger, mirrors }: Job): boolean {
  return trigger !== undefined || mirrors !== undefined;
}

/** The columns of `pipelines.planned_jobs`. */
function jobRow(planId: number, position: number, { job, status, timeout }: FirstJob): object {
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
    bridge: isBridge(job),
    resource_group: job.resourceGroup || null,
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
