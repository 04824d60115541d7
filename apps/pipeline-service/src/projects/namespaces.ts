import { type Actor, invalid, type CreateProject } from '#libs/contracts';
import type { EntityManager } from 'typeorm';
import { isNamespacePath } from './project-attributes.js';

interface Namespace {
  id: number;
  path: string;
}

/**
 * The namespace a new project comes into: the one that is named, else the actor's own. One's own is made when it is first needed, others
 * by administrators. Anybody else may use what they made.
 *
 * @throws Refusal 400 when there is no such namespace, or the actor may not create projects in it
 */
export async function namespaceFor(manager: EntityManager, order: CreateProject): Promise<Namespace> {
  const { actor, namespaceId, namespacePath } = order;
  if (namespaceId != null) return usable(manager, actor, 'id = $1', namespaceId);
  if (namespacePath == null || namespacePath.toLowerCase() === actor.username.toLowerCase())
    return ownNamespace(manager, actor);
  if (actor.admin) await makeGroups(manager, actor, namespacePath);
  return usable(manager, actor, 'lower(path) = lower($1)', namespacePath);
}

const notValid = () => invalid({ namespace: ['is not valid'] });

async function usable(manager: EntityManager, actor: Actor, which: string, value: unknown): Promise<Namespace> {
  const [found]: Namespace[] = await manager.query(
    `select id, path from pipelines.namespaces where ${which} and ($2 or owner_id = $3)`,
    [value, actor.admin, actor.id],
  );
  if (!found) throw notValid();
  return found;
}

/** Usernames are unique, so a user namespace of this name that belongs to somebody else belonged to a user who is gone. */
async function ownNamespace(manager: EntityManager, actor: Actor): Promise<Namespace> {
  const [own]: Namespace[] = await manager.query(
    `insert into pipelines.namespaces as namespace (path, name, kind, owner_id) values ($1, $2, 'user', $3)
     on conflict (lower(path)) do update set owner_id = excluded.owner_id, name = excluded.name where namespace.kind = 'user'
     returning id, path`,
    [actor.username, actor.name, actor.id],
  );
  if (!own) throw notValid();
  return own;
}

/** Makes the groups of a full path that are missing, the outer ones too. */
async function makeGroups(manager: EntityManager, actor: Actor, fullPath: string): Promise<void> {
  if (!isNamespacePath(fullPath)) throw notValid();
  const parts = fullPath.split('/');
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  await manager.query(
    `insert into pipelines.namespaces (path, name, kind, owner_id)
     select path, name, 'group', $3 from unnest($1::text[], $2::text[]) as missing (path, name)
     on conflict (lower(path)) do nothing`,
    [paths, parts, actor.id],
  );
  const users: unknown[] = await manager.query(
    `select from pipelines.namespaces where kind = 'user' and lower(path) = any($1::text[])`,
    [paths.slice(0, -1).map((path) => path.toLowerCase())],
  );
  if (users.length > 0) throw notValid();
}
