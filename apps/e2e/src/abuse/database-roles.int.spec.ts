import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { pino } from 'pino';
import { openDatabase, type Schema } from '#libs/persistence';
import { gatewaySchema } from '../../../gateway/src/schema/index.js';
import { pipelinesSchema } from '../../../pipeline-service/src/schema/index.js';
import { tokensSchema } from '../../../token-service/src/schema/index.js';
import { root } from '../testing/installation.js';
import { describeWith, directoryWith } from '../testing/installed.js';
import { type OwnServer, ownPostgresql, postgresqlPrograms } from '../testing/own-servers.js';

const services: { role: string; schema: Schema }[] = [
  { role: 'flagfall_tokens', schema: tokensSchema },
  { role: 'flagfall_pipelines', schema: pipelinesSchema },
  { role: 'flagfall_gateway', schema: gatewaySchema },
];
/** Belongs to no service; all of them read which installation it is. */
const installation = 'flagfall.installation';

/** Roles belong to a whole server, so this has one of its own. */
describeWith([postgresqlPrograms, ['psql']])('the roles that docker/database-roles.sql makes', () => {
  let server: OwnServer;
  let superuser: pg.Client;

  const urlOf = (user: string): string => {
    const url = new URL(server.url);
    url.username = user;
    return url.href;
  };
  const ask = async <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
    (await superuser.query<Row>(text, values)).rows;

  beforeAll(async () => {
    server = await ownPostgresql();
    const passwords = ['OWNER', 'GATEWAY', 'TOKENS', 'PIPELINES'].map((name) => [`${name}_PASSWORD`, 'x']);
    await promisify(execFile)(
      join(directoryWith('psql') ?? '', 'psql'),
      ['--no-psqlrc', '--quiet', `--file=${join(root, 'docker/database-roles.sql')}`, server.url],
      { env: { PATH: process.env.PATH, ...Object.fromEntries(passwords) } },
    );
    for (const { role, schema } of services) {
      const settings = { url: urlOf(role), migrationUrl: urlOf('flagfall_owner') };
      await (await openDatabase(settings, schema, pino({ level: 'silent' }))).destroy();
    }
    superuser = new pg.Client({ connectionString: server.url });
    await superuser.connect();
  }, 120_000);
  afterAll(async () => {
    await superuser?.end();
    await server?.remove();
  });

  it.each(services)('$role reads and writes its own schema, reads its views, and nothing else', async (service) => {
    const { role, schema } = service;
    const relations = await ask<{ name: string; schema: string; rights: string[] }>(
      `select format('%s.%s', n.nspname, c.relname) as name, n.nspname as schema,
              array(select p from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
                     where has_table_privilege($1, c.oid, p)) as rights
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'`,
      [role],
    );
    expect(relations.length).toBeGreaterThan(30);
    for (const relation of relations) {
      const own = relation.schema === schema.name;
      const read = relation.name === installation || schema.views?.includes(relation.name);
      const rights = own ? ['select', 'insert', 'update', 'delete'] : read ? ['select'] : [];
      expect(relation).toEqual({ ...relation, rights });
    }
    expect(schema.views ?? []).toHaveLength(schema === gatewaySchema ? 4 : 0);
  });

  it.each(services)('$role makes nothing, and has no rights over the server', async ({ role }) => {
    const [rights] = await ask(
      `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
              (select count(*)::int from pg_auth_members where member = r.oid) as roles,
              (select count(*)::int from pg_class where relowner = r.oid) as owns,
              (select count(*)::int from pg_namespace n where has_schema_privilege(r.oid, n.oid, 'create')) as creates_in,
              has_database_privilege(r.oid, current_database(), 'create') as creates
         from pg_roles r where rolname = $1`,
      [role],
    );
    expect(rights).toEqual({
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      roles: 0,
      owns: 0,
      creates_in: 0,
      creates: false,
    });
  });

  it.each(services)('what $role tries elsewhere is refused', async ({ role, schema }) => {
    const client = new pg.Client({ connectionString: urlOf(role) });
    await client.connect();
    try {
      const others = services.filter((other) => other.schema !== schema).map((other) => other.schema.name);
      const attempts = [
        ...others.flatMap((name) => [
          `select * from ${name}.migrations`,
          `delete from ${name}.migrations`,
          `create table ${name}.x ()`,
        ]),
        `create table ${schema.name}.x ()`,
        'create table public.x ()',
        'create schema x',
        `select pg_read_file('/etc/passwd')`,
        `copy (select 1) to program 'id'`,
        `set role flagfall_owner`,
        `update ${installation} set id = gen_random_uuid()`,
      ];
      for (const attempt of attempts)
        await expect(client.query(attempt).then(() => `${attempt} went through`)).rejects.toMatchObject({
          code: '42501',
        });
      await expect(client.query(`select * from ${schema.name}.migrations`)).resolves.toBeDefined();
    } finally {
      await client.end();
    }
  });
});
