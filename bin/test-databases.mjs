import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedDatabase } from '../dist/apps/standalone/src/embedded-database.js';

/** Long enough for a suite to come back, short enough to keep few in memory. */
const sleepAfterMs = 2_000;

/**
 * A server on a loopback port that looks like PostgreSQL with any number of databases. The embedded engine has only one, so each name that
 * a client connects to is an embedded database of its own, which sleeps while nobody is connected. One more is always kept ready: suites
 * give a connection two seconds, and starting takes as long on a busy machine.
 */
export async function startTestDatabases() {
  const home = await mkdtemp(join(tmpdir(), 'flagfall-test-'));
  const databases = new Map();
  let closing = false;
  let made = 0;
  let spare = make();
  spare.running.catch(() => {}); // It is told to the first client that gets it.

  function make() {
    const directory = join(home, String((made += 1)));
    const running = mkdir(directory).then(() => startEmbeddedDatabase(directory));
    return { directory, running, asleep: undefined, users: 0, timer: undefined };
  }

  function databaseNamed(name) {
    const known = databases.get(name);
    if (known) return known;
    const database = spare;
    databases.set(name, database);
    spare = make();
    spare.running.catch(() => {});
    return database;
  }

  async function route(client, startup) {
    client.pause();
    const name = databaseNameIn(startup);
    const database = databaseNamed(name);
    database.users += 1;
    clearTimeout(database.timer);
    client.once('close', () => {
      database.users -= 1;
      if (database.users === 0 && name !== 'postgres' && !closing)
        database.timer = setTimeout(sleep, sleepAfterMs, name, database);
    });
    database.running ??= database.asleep.then(() => startEmbeddedDatabase(database.directory));
    const { url } = await database.running;
    const upstream = connect(join(new URL(url).searchParams.get('host'), '.s.PGSQL.5432'));
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.write(startup);
    client.pipe(upstream).pipe(client);
  }

  async function sleep(name, database) {
    const { running } = database;
    database.running = undefined;
    database.asleep = running.then((embedded) => embedded.close());
    await database.asleep;
    if (closing || (await exists(name)) || database.users > 0) return;
    databases.delete(name);
    await rm(database.directory, { recursive: true, force: true });
  }

  /** Databases are created and dropped in the catalogue of the one called postgres; the files of a dropped one go when it sleeps. */
  async function exists(name) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
      return rowCount > 0;
    } catch {
      return true; // The run is over, and takes all files with it.
    } finally {
      await client.end();
    }
  }

  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.once('data', (startup) => void route(client, startup).catch(() => client.destroy()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `postgres://postgres@127.0.0.1:${server.address().port}/postgres`;
  return {
    url,
    close: async () => {
      closing = true;
      server.close();
      const close = async ({ timer, asleep, running }) => {
        clearTimeout(timer);
        await asleep;
        await (await running)?.close();
      };
      await Promise.allSettled([spare, ...databases.values()].map(close));
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** The `database` of a startup message: pairs of names and values, each ended by NUL, behind length and protocol version. */
function databaseNameIn(startup) {
  const words = startup.toString('utf8', 8).split('\0');
  const at = words.findIndex((word, i) => i % 2 === 0 && word === 'database');
  return at < 0 ? 'postgres' : words[at + 1];
}
