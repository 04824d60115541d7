import type {
  ListNamespaces,
  ListProjects,
  NamespaceFacts,
  Page,
  ProjectFacts,
  ProjectOrder,
  Visibility,
} from '#libs/contracts';
import type { DataSource } from 'typeorm';
import { namespaceFacts, namespaceRows, projectFacts, projectRows } from './project-facts.js';

const orders: Record<ProjectOrder, string> = {
  id: 'project.id',
  name: 'lower(project.name)',
  path: 'lower(project.path)',
  created_at: 'project.created_at',
  updated_at: 'project.updated_at',
  last_activity_at: 'last_activity_at',
};

/** The projects that somebody may see and asked for. */
export async function listProjects(database: DataSource, query: ListProjects): Promise<Page<ProjectFacts>> {
  const open: Visibility[] = query.actor ? ['public', 'internal'] : ['public'];
  const conditions = [`project.state = 'active'`];
  const values: unknown[] = [];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  if (!query.actor?.admin) {
    values.push(open);
    where(
      (ids) => `(project.visibility = any($${values.length - 1}::text[]) or project.id = any(${ids}::bigint[]))`,
      query.memberOf,
    );
  }
  if (query.only) where((ids) => `project.id = any(${ids}::bigint[])`, query.only);
  if (query.visibility) where((visibility) => `project.visibility = ${visibility}`, query.visibility);
  if (query.archived != null) where((archived) => `project.archived = ${archived}`, query.archived);
  if (query.search) {
    const columns = query.search.includes('/') ? ['full_path'] : ['name', 'path'];
    where(
      (text) => `(${columns.map((column) => `project.${column} ilike ${text}`).join(' or ')})`,
      contains(query.search),
    );
  }
  const matching = conditions.join(' and ');
  const [{ total }]: [{ total: number }] = await database.query(
    `select count(*) as total from pipelines.projects project where ${matching}`,
    values,
  );
  const rows = await database.query(
    `${projectRows} where ${matching} order by ${orders[query.orderBy]} ${query.sort}, project.id ${query.sort}
     limit ${query.perPage} offset ${(query.page - 1) * query.perPage}`,
    values,
  );
  return { items: rows.map(projectFacts), total };
}

/** The namespaces that somebody may create projects in. */
export async function listNamespaces(database: DataSource, query: ListNamespaces): Promise<Page<NamespaceFacts>> {
  const matching = '($1 or namespace.owner_id = $2) and ($3::text is null or namespace.path ilike $3)';
  const values = [query.actor.admin, query.actor.id, query.search ? contains(query.search) : null];
  const [{ total }]: [{ total: number }] = await database.query(
    `select count(*) as total from pipelines.namespaces namespace where ${matching}`,
    values,
  );
  const rows = await database.query(
    `${namespaceRows} where ${matching} order by lower(path), id limit ${query.perPage} offset ${(query.page - 1) * query.perPage}`,
    values,
  );
  return { items: rows.map(namespaceFacts), total };
}

/** A pattern of LIKE that finds the text anywhere. */
function contains(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}
