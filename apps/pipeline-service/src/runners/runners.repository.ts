import {
  type CreateRunner,
  forbidden,
  type ManagedRunner,
  notFound,
  type RunnerAccessLevel,
  type RunnerDetails,
  type RunnerType,
  type UserFacts,
} from '#libs/contracts';
import type { EntityManager } from 'typeorm';
import type { Sql } from '../pipelines/pipelines.repository.js';
import { contact, machineJson, type MachineRow, managerFacts } from './runner-contact.js';

interface Row {
  id: number;
  runnerType: RunnerType;
  description: string;
  paused: boolean;
  locked: boolean;
  runUntagged: boolean;
  tagList: string[];
  accessLevel: RunnerAccessLevel;
  maximumTimeout: number | null;
  maintenanceNote: string | null;
  contactedAt: Date | null;
  createdAt: Date;
  creatorId: number | null;
  createdBy: UserFacts | null;
  projects: RunnerDetails['projects'];
  /** The one that was heard of last. */
  machine: MachineRow | null;
  busy: boolean;
}

/** Runners by id, in the order of the ids; those that are not there are left out. */
export async function readRunners(sql: Sql, ids: readonly number[], now: Date): Promise<RunnerDetails[]> {
  const rows: Row[] = await sql.query(
    `select runner.id, runner_type as "runnerType", description, paused, locked, run_untagged as "runUntagged", tag_list as "tagList",
       access_level as "accessLevel", maximum_timeout as "maximumTimeout", maintenance_note as "maintenanceNote", contacted_at as "contactedAt",
       runner.created_at as "createdAt", creator_id as "creatorId",
       (select json_build_object('id', id, 'username', username, 'name', name, 'state', state) from pipelines.users where id = creator_id) as "createdBy",
       (select coalesce(json_agg(json_build_object('id', project.id, 'name', project.name, 'path', project.path, 'fullPath', project.full_path,
                 'namespace', case namespace.kind when 'user' then namespace.name else replace(namespace.path, '/', ' / ') end) order by project.id), '[]')
        from pipelines.runner_projects as its join pipelines.projects as project on project.id = its.project_id
          join pipelines.namespaces as namespace on namespace.id = project.namespace_id
        where its.runner_id = runner.id) as projects,
       (select ${machineJson} from pipelines.runner_machines as machine
        where machine.runner_id = runner.id order by machine.contacted_at desc limit 1) as machine,
       exists (select from pipelines.jobs as job where job.runner_id = runner.id and job.status in ('pending', 'running', 'canceling')) as busy
     from pipelines.runners as runner where id = any($1::bigint[]) order by array_position($1::bigint[], id)`,
    [ids],
  );
  return rows.map((row) => ({
    id: row.id,
    description: row.description,
    ipAddress: row.machine?.ipAddress ?? null,
    paused: row.paused,
    runnerType: row.runnerType,
    name: row.machine?.info.name ?? null,
    ...contact(row.contactedAt, now),
    locked: row.locked,
    runUntagged: row.runUntagged,
    tagList: row.tagList,
    accessLevel: row.accessLevel,
    maximumTimeout: row.maximumTimeout,
    maintenanceNote: row.maintenanceNote,
    contactedAt: row.contactedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    creatorId: row.creatorId,
    createdBy: row.createdBy,
    projects: row.projects,
    manager: row.machine && managerFacts(row.machine, now),
    busy: row.busy,
  }));
}

/**
 * A runner for somebody who wants to do something with it: administrators manage every runner, others those they made and those of projects that
 * they maintain.
 * @throws Refusal 404 when there is none, 403 when the actor may not
 */
export async function findManaged(
  sql: Sql,
  { runnerId, actor, maintained }: Pick<ManagedRunner, 'runnerId' | 'actor' | 'maintained'>,
  now: Date,
): Promise<RunnerDetails> {
  const [runner] = await readRunners(sql, [runnerId], now);
  if (!runner) throw notFound();
  const own = runner.creatorId === actor.id || runner.projects.some(({ id }) => maintained.includes(id));
  if (!actor.admin && !own) throw forbidden();
  return runner;
}

/** Stores a new runner. @returns its id */
export async function insertRunner(
  manager: EntityManager,
  runner: Omit<CreateRunner, 'replyType' | 'creatorId'> & { creatorId: number | null },
  now: Date,
): Promise<number> {
  const [added] = (await manager.query(
    `insert into pipelines.runners (runner_type, description, paused, locked, run_untagged, tag_list, access_level, maximum_timeout,
       maintenance_note, creator_id, token_hash, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, decode($11, 'hex'), $12) returning id`,
    [
      runner.runnerType,
      runner.description,
      runner.paused,
      runner.locked,
      runner.runUntagged,
      runner.tagList,
      runner.accessLevel,
      runner.maximumTimeout ?? null,
      runner.maintenanceNote ?? null,
      runner.creatorId,
      runner.tokenHash,
      now,
    ],
  )) as { id: number }[];
  const { id } = added as { id: number };
  if (runner.projectId)
    await manager.query('insert into pipelines.runner_projects values ($1, $2)', [id, runner.projectId]);
  return id;
}
