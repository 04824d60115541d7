import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A database of one's own, on the server that the tests were given. */
export interface ScratchDatabase {
  url: string;
  drop(): Promise<void>;
}

/**
 * Creates an empty database on the server named by TEST_DATABASE_URL (without one: the default local server).
 * @param name what it is for; part of the database's name, whose beginning says of which run of the tests it is
 */
export async function scratchDatabase(name: string): Promise<ScratchDatabase> {
  const server = process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres';
  const run = process.env.TEST_NAMESPACE ?? 'flagfall_test';
  const database = `${run}_${name.replace(/\W/g, '_')}_${randomBytes(4).toString('hex')}`;
  await execute(server, `create database ${pg.escapeIdentifier(database)}`);
  const url = new URL(server);
  url.pathname = `/${database}`;
  return {
    url: url.href,
    drop: () => execute(server, `drop database if exists ${pg.escapeIdentifier(database)} with (force)`),
  };
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
