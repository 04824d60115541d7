import type { RunnerFacts, RunnerManagerFacts } from '#libs/contracts';

/** A runner that was heard of within this time is online, one not heard of for a week is stale (runner-api.md §1.8). */
const onlineMs = 2 * 3_600_000;
const staleMs = 7 * 86_400_000;

/** What the last contact tells about a runner, or about one of its machines. Pure. */
export function contact(at: Date | null, now: Date): Pick<RunnerFacts, 'online' | 'status'> {
  if (!at) return { online: false, status: 'never_contacted' };
  const silent = now.getTime() - at.getTime();
  if (silent < onlineMs) return { online: true, status: 'online' };
  return { online: false, status: silent > staleMs ? 'stale' : 'offline' };
}

/** When a runner of that status was heard of last: not before the first time, and before the second one. */
export function heardWithin(status: RunnerFacts['status'], now: Date): { from: Date | null; before: Date | null } {
  const ago = (ms: number) => new Date(now.getTime() - ms);
  if (status === 'online') return { from: ago(onlineMs), before: null };
  return status === 'offline'
    ? { from: ago(staleMs), before: ago(onlineMs) }
    : { from: null, before: status === 'stale' ? ago(staleMs) : null };
}

/** A machine as the database gives it in JSON. */
export interface MachineRow {
  id: number;
  systemId: string;
  info: { name?: string; version?: string; revision?: string; platform?: string; architecture?: string };
  ipAddress: string | null;
  createdAt: string;
  contactedAt: string;
  busy: boolean;
}

/** Makes a `MachineRow` of a row of `runner_machines` that goes by the name `machine`. */
export const machineJson = `json_build_object('id', machine.id, 'systemId', machine.system_id, 'info', machine.info, 'ipAddress', machine.ip_address,
  'createdAt', machine.created_at, 'contactedAt', machine.contacted_at,
  'busy', exists (select from pipelines.jobs as taken where taken.runner_id = machine.runner_id and taken.runner_system_id = machine.system_id
                  and taken.status in ('pending', 'running', 'canceling')))`;

export function managerFacts(row: MachineRow, now: Date): RunnerManagerFacts {
  const contactedAt = new Date(row.contactedAt);
  return {
    id: row.id,
    systemId: row.systemId,
    version: row.info.version ?? null,
    revision: row.info.revision ?? null,
    platform: row.info.platform ?? null,
    architecture: row.info.architecture ?? null,
    createdAt: new Date(row.createdAt).toISOString(),
    contactedAt: contactedAt.toISOString(),
    ipAddress: row.ipAddress,
    status: contact(contactedAt, now).status,
    busy: row.busy,
  };
}
