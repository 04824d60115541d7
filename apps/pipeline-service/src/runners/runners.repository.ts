import type { RunnerAccessLevel, RunnerDetails, RunnerType } from '#libs/contracts';
import type { Sql } from '../pipelines/pipelines.repository.js';

/** A runner that was heard of within this time is online, one not heard of for a week is stale (runner-api.md §1.8). */
const onlineMs = 2 * 3_600_000;
const staleMs = 7 * 86_400_000;

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
  projectIds: number[];
  machine: { info: { name?: string }; ipAddress: string | null } | null;
}

/** Runners by id, in the order of the ids; those that are not there are left out. */
export async function readRunners(sql: Sql, ids: readonly number[], now: Date): Promise<RunnerDetails[]> {
  const rows: Row[] = await sql.query(
    `select runner.id, runner_type as "runnerType", description, paused, locked, run_untagged as "runUntagged", tag_list as "tagList",
       access_level as "accessLevel", maximum_timeout as "maximumTimeout", maintenance_note as "maintenanceNote", contacted_at as "contactedAt",
       created_at as "createdAt",
       array(select project_id::int from pipelines.runner_projects where runner_id = runner.id order by project_id) as "projectIds",
       (select json_build_object('info', info, 'ipAddress', ip_address) from pipelines.runner_machines
        where runner_id = runner.id order by contacted_at desc limit 1) as machine
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
    projectIds: row.projectIds,
  }));
}

function contact(at: Date | null, now: Date): Pick<RunnerDetails, 'online' | 'status'> {
  if (!at) return { online: false, status: 'never_contacted' };
  const silent = now.getTime() - at.getTime();
  if (silent < onlineMs) return { online: true, status: 'online' };
  return { online: false, status: silent > staleMs ? 'stale' : 'offline' };
}
