import { invalid, type Refusal } from '#libs/contracts';
import type { EntityManager } from 'typeorm';

/** Where a project is, or wants to be. */
export interface Place {
  /** Left out for a project that is not there yet. */
  projectId?: number;
  namespaceId: number;
  name: string;
  fullPath: string;
}

const taken = 'has already been taken';

/**
 * Makes sure that a project can have this name and path: what is being deleted gives them up, and a former path that leads elsewhere ends
 * (GitLab does both).
 * @throws Refusal 400 when another project has them
 */
export async function claimPath(manager: EntityManager, place: Place): Promise<void> {
  const others: { id: number; state: string; same_path: boolean; same_name: boolean }[] = await manager.query(
    `select id, state, lower(full_path) = lower($1) as same_path, namespace_id = $2 and name = $3 as same_name
     from pipelines.projects
     where (lower(full_path) = lower($1) or namespace_id = $2 and name = $3) and id is distinct from $4::bigint`,
    [place.fullPath, place.namespaceId, place.name, place.projectId ?? null],
  );
  const alive = others.filter(({ state }) => state !== 'deleting');
  if (alive.length > 0)
    throw refused({ name: alive.some(({ same_name }) => same_name), path: alive.some(({ same_path }) => same_path) });
  await manager.query(
    `update pipelines.projects set path = path || '-deleted-' || id, full_path = full_path || '-deleted-' || id,
            name = name || '-deleted-' || id
     where id = any($1::bigint[]) and state = 'deleting'`,
    [others.map(({ id }) => id)],
  );
  await manager.query('delete from pipelines.project_paths where lower(path) = lower($1)', [place.fullPath]);
}

/** The refusal for an error of the database that says that somebody was a moment faster; undefined for any other error. */
export function takenProblems(error: unknown): Refusal | undefined {
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code !== '23505') return undefined;
  if (constraint === 'projects_full_path') return refused({ name: false, path: true });
  if (constraint === 'projects_name') return refused({ name: true, path: false });
  return undefined;
}

function refused(same: { name: boolean; path: boolean }): Refusal {
  return invalid({ ...(same.name && { name: [taken] }), ...(same.path && { path: [taken] }) });
}
