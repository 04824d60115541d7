import pg from 'pg';
import type { DataSource } from 'typeorm';

/** Where the installation's id is kept; belongs to no service. */
const table = 'flagfall.installation';

/** Makes the table with the one id, on whichever service's start comes first. */
export async function ensureInstallation(owner: pg.Client): Promise<void> {
  await owner.query('create schema if not exists flagfall');
  await owner.query(`create table if not exists ${table} (
    single boolean primary key default true check (single),
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now()
  )`);
  await owner.query(`insert into ${table} default values on conflict do nothing`);
}

/** Lets a service's role read it. @param role quoted */
export async function grantInstallation(owner: pg.Client, role: string): Promise<void> {
  await owner.query(`grant usage on schema flagfall to ${role}`);
  await owner.query(`grant select on ${table} to ${role}`);
}

/**
 * The id that envelopes of messages carry, so that two installations on one broker never take each other's (architecture.md §3): it lies in
 * the database, and so goes where the data goes.
 */
export async function installationId(database: DataSource): Promise<string> {
  const [row] = (await database.query(`select id from ${table}`)) as { id: string }[];
  if (!row) throw new Error(`${table} is empty; it is filled when a service starts`);
  return row.id;
}
