import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedDatabase } from '../dist/apps/standalone/src/embedded-database.js';

/** Long enough for a suite to come back, short enough to keep few in memory. */
const closeAfterMs = 2_000;

/**
 * A server on a loopback port that looks like PostgreSQL with any number of databases. The embedded engine has one; so each name that a client connects to is an embedded
 * database of its own, started at the first connection and put to sleep when the last one has gone.
 */
export async function startTestDatabases() {
  const home = await mkdtemp(join(tmpdir(), 'flagfall-test-'));
  const databases = new Map();
  let closing = false;
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.once('data', (startup) => void route(client, startup).catch(() => client.destroy()));
  });

  async function route(client, startup) {
    client.pause();
    const name = databaseOf(startup);
    const entry = databases.get(name) ?? { users: 0, running: undefined, before: undefined, timer: undefined };
    databases.set(name, entry);
    entry.users += 1;
    clearTimeout(entry.timer);
    entry.running ??= start(name, entry);
    client.once('close', () => {
      entry.users -= 1;
      if (entry.users === 0) entry.timer = setTimeout(() => void sleep(name, entry), closeAfterMs);
    });
    const { url } = await entry.running;
    const upstream = connect(join(new URL(url).searchParams.get('host'), '.s.PGSQL.5432'));
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.write(startup);
    client.pipe(upstream).pipe(client);
  }

  async function sleep(name, entry) {
    const { running } = entry;
    // Whoever comes now waits until the files are free again.
    entry.running = undefined;
    entry.before = running.then((database) => database.close());
    await entry.before;
    if (closing || entry.running || name === 'postgres' || (await exists(name))) return;
    databases.delete(name);
    await rm(join(home, encodeURIComponent(name)), { recursive: true, force: true });
  }

  /** Databases are created and dropped in the catalogue of the one called postgres; the files of a dropped one go when it sleeps. */
  async function exists(name) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    await client.end();
    return rowCount > 0;
  }

  async function start(name, entry) {
    await entry.before;
    const directory = join(home, encodeURIComponent(name));
    await mkdir(directory, { recursive: true });
    return startEmbeddedDatabase(directory);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `postgres://postgres@127.0.0.1:${server.address().port}/postgres`;
  return {
    url,
    close: async () => {
      closing = true;
      server.close();
      await Promise.all(
        [...databases.values()].map(async (entry) => {
          clearTimeout(entry.timer);
          await entry.before;
          await (await entry.running)?.close();
        }),
      );
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** The `database` of a startup message: pairs of names and values, each ended by NUL, behind length and protocol version. */
function databaseOf(startup) {
  const words = startup.toString('utf8', 8).split('\0');
  const at = words.findIndex((word, i) => i % 2 === 0 && word === 'database');
  return at < 0 ? 'postgres' : words[at + 1];
}
