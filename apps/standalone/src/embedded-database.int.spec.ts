import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:net';
import pg from 'pg';

// The database runs as in `npm start`: built, in a process of its own, so that it can also be killed like one.
const built = new URL('../../../dist/apps/standalone/src/embedded-database.js', import.meta.url).href;
const program = `
  const { startEmbeddedDatabase } = await import(${JSON.stringify(built)});
  const database = await startEmbeddedDatabase(process.argv[1]);
  process.once('SIGTERM', () => database.close());
  console.log(database.url);`;

interface Running {
  url: string;
  process: ChildProcess;
}

async function start(directory: string): Promise<Running> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  if (typeof first[0] !== 'string')
    throw new Error('The embedded database did not start; is the build there (npm run build)?');
  return { url: first[0], process: child };
}

async function stop(running: Running, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(running.process, 'exit');
  running.process.kill(signal);
  return (await exit)[0] as number | null;
}

/** A pool whose idle connections may be lost with the database, as they are in these tests. */
function poolFor(url: string, max = 5): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on('error', () => {});
  return pool;
}

describe('the embedded database', () => {
  let directory: string;
  let database: Running;
  let pool: pg.Pool;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'embedded-'));
    database = await start(directory);
    pool = poolFor(database.url);
    await pool.query(
      'create table item (id bigint generated always as identity primary key, name text unique, data jsonb, raw bytea, at timestamptz)',
    );
  });

  afterAll(async () => {
    await pool.end();
    await stop(database, 'SIGTERM');
    await rm(directory, { recursive: true });
  });

  beforeEach(() => pool.query('truncate item restart identity'));

  it('listens on a socket that only its user may open', async () => {
    const socket = await stat(join(directory, '.s.PGSQL.5432'));
    expect(socket.isSocket()).toBe(true);
    expect(socket.mode & 0o777).toBe(0o600);
  });

  it('carries the types that the services use', async () => {
    const { rows } = await pool.query(
      `insert into item (name, data, raw, at) values ($1, $2, $3, $4) returning id, name, data, raw, at`,
      ['ä\u{1f600}', { a: [1, null, 'x'] }, Buffer.from([0, 255, 1]), new Date('2026-01-02T03:04:05.678Z')],
    );
    expect(rows).toEqual([
      {
        id: '1',
        name: 'ä\u{1f600}',
        data: { a: [1, null, 'x'] },
        raw: Buffer.from([0, 255, 1]),
        at: new Date('2026-01-02T03:04:05.678Z'),
      },
    ]);
    const unnested = await pool.query('select * from unnest($1::bigint[], $2::text[]) as t(id, name)', [
      ['9007199254740993', 2],
      ['a', null],
    ]);
    expect(unnested.rows).toEqual([
      { id: '9007199254740993', name: 'a' },
      { id: '2', name: null },
    ]);
    expect((await pool.query('select id from item where id = any($1)', [[1, 5]])).rows).toEqual([{ id: '1' }]);
  });

  it('keeps transactions of several connections apart', async () => {
    const transfer = async (name: string, commit: boolean) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        await client.query('insert into item (name) values ($1)', [name]);
        const { rows } = await client.query<{ name: string }>(
          'select name from item where name like $1 order by name',
          [`${name[0]}%`],
        );
        await client.query(commit ? 'commit' : 'rollback');
        return rows.length;
      } finally {
        client.release();
      }
    };
    const seen = await Promise.all(
      Array.from({ length: 20 }, (_, i) => transfer(i % 2 ? `keep ${i}` : `drop ${i}`, i % 2 === 1)),
    );
    expect(seen.filter((count, i) => i % 2 === 0 && count !== 1)).toEqual([]);
    expect((await pool.query<{ count: string }>(`select count(*) from item`)).rows).toEqual([{ count: '10' }]);
  });

  it('never runs one client’s statement with another’s parameters, whatever the size and the moment', async () => {
    const ask = async (client: number, size: number, times: number) => {
      for (let i = 0; i < times; i++) {
        const text = `${client}`.repeat(size);
        const { rows } = await pool.query(`select $1::int as v${client}, length($2) as length`, [i, text]);
        expect(rows).toEqual([{ [`v${client}`]: i, length: size }]);
      }
    };
    await Promise.all([ask(1, 300_000, 20), ask(2, 10, 200), ask(3, 200_000, 20), ask(4, 1, 200)]);
  });

  it('waits for the rest of a query that comes in two pieces before it serves others', async () => {
    const socket = connect(join(directory, '.s.PGSQL.5432'));
    const answers: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => answers.push(chunk));
    const until = async (word: string) => {
      while (!Buffer.concat(answers).includes(word)) await once(socket, 'data');
      answers.length = 0;
    };
    const message = (type: string, ...parts: (string | number[])[]) => {
      const body = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
      const length = Buffer.alloc(4);
      length.writeInt32BE(body.length + 4);
      return Buffer.concat([Buffer.from(type), length, body]);
    };
    socket.write(message('', [0, 3, 0, 0], 'user\0postgres\0database\0postgres\0\0'));
    await until('Z\0\0\0\x05I');
    socket.write(message('P', '\0select 1 as mine\0', [0, 0]));
    await until('1\0\0\0\x04');
    const others = pool.query('select $1::text as theirs', ['secret']);
    socket.write(
      Buffer.concat([
        message('B', '\0\0', [0, 0, 0, 0, 0, 0]),
        message('D', 'P\0'),
        message('E', '\0', [0, 0, 0, 0]),
        message('S'),
      ]),
    );
    await until('mine');
    socket.destroy();
    expect((await others).rows).toEqual([{ theirs: 'secret' }]);
  });

  it('rolls back for a client that dies inside a transaction or after a faulty statement', async () => {
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => {});
    await client.connect();
    await client.query('begin');
    await client.query(`insert into item (name) values ('lost')`);
    const stream = (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
    stream.destroy();
    expect((await pool.query('select name from item')).rows).toEqual([]);

    const faulty = connect(join(directory, '.s.PGSQL.5432'));
    faulty.write(Buffer.from('\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1'));
    await once(faulty, 'data');
    faulty.write(Buffer.from('P\0\0\0\x0e\0selec 1\0\0\0', 'latin1'));
    await once(faulty, 'data');
    faulty.destroy();
    expect((await pool.query('select 1 as alive')).rows).toEqual([{ alive: 1 }]);
  });

  it('goes on after errors, inside a transaction too', async () => {
    const client = await pool.connect();
    await client.query('begin');
    await expect(client.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback');
    await client.query('begin');
    await client.query('savepoint s');
    await expect(client.query(`insert into item (name) values ('x'), ('x')`)).rejects.toMatchObject({ code: '23505' });
    await client.query('rollback to savepoint s');
    await client.query(`insert into item (name) values ('y')`);
    await client.query('commit');
    client.release();
    expect((await pool.query('select name from item')).rows).toEqual([{ name: 'y' }]);
  });

  it('understands the locking that queues use', async () => {
    await pool.query(`insert into item (name) values ('a'), ('b'), ('c')`);
    const take = async () => {
      const client = await pool.connect();
      await client.query('begin');
      const { rows } = await client.query<{ name: string }>(
        'delete from item where id = (select id from item order by id for update skip locked limit 1) returning name',
      );
      await client.query('commit');
      client.release();
      return rows[0]!.name;
    };
    expect((await Promise.all([take(), take(), take()])).sort()).toEqual(['a', 'b', 'c']);
    expect((await pool.query('select pg_try_advisory_xact_lock(7) as locked')).rows).toEqual([{ locked: true }]);
    await expect(
      pool.query(`insert into item (name) values ('d') on conflict (name) do nothing returning name`),
    ).resolves.toMatchObject({
      rowCount: 1,
    });
  });

  it('shares one session: a search_path set by one client is everybody’s, a local one is not', async () => {
    const client = await pool.connect();
    await client.query('create schema if not exists other');
    await client.query('begin');
    await client.query('set local search_path to other');
    await client.query('commit');
    client.release();
    const fresh = poolFor(database.url, 1);
    expect((await fresh.query<{ search_path: string }>('show search_path')).rows[0]!.search_path).toBe('public');
    await pool.query('set search_path to other');
    expect((await fresh.query<{ search_path: string }>('show search_path')).rows[0]!.search_path).toBe('other');
    await pool.query('set search_path to public');
    await fresh.end();
  });

  it('keeps the prepared statements of several clients apart, and forgets those of one that has gone', async () => {
    const ask = async (client: pg.PoolClient, text: string) =>
      (await client.query<{ n: number }>({ name: 'mine', text, values: [1] })).rows[0]!.n;
    const [one, two] = [await pool.connect(), await pool.connect()];
    expect(await ask(one, 'select $1::int + 1 as n')).toBe(2);
    expect(await ask(two, 'select $1::int + 2 as n')).toBe(3);
    expect(await ask(one, 'select $1::int + 1 as n')).toBe(2);
    const statements = async () => (await pool.query('select name from pg_prepared_statements')).rows;
    expect(await statements()).toHaveLength(2);
    one.release(true);
    two.release(true);
    // The connections close a moment after they were given up.
    while ((await statements()).length > 0) await new Promise(setImmediate);
  });

  it('takes fifty connections', async () => {
    const many = poolFor(database.url, 50);
    const clients = await Promise.all(Array.from({ length: 50 }, () => many.connect()));
    const answers = await Promise.all(
      clients.map((client, i) => client.query<{ n: number }>('select $1::int as n', [i])),
    );
    expect(answers.map(({ rows }) => rows[0]!.n)).toEqual(clients.map((_, i) => i));
    for (const client of clients) client.release();
    await many.end();
  });

  it('has everything that was committed after kill -9, and nothing that was not', async () => {
    const home = await mkdtemp(join(tmpdir(), 'embedded-'));
    let killed = await start(home);
    let client = poolFor(killed.url, 2);
    await client.query('create table kept (n int primary key)');
    const open = await client.connect();
    open.on('error', () => {});
    for (let n = 0; n < 100; n++) await client.query('insert into kept values ($1)', [n]);
    await open.query('begin');
    await open.query('insert into kept values (1000)');
    await stop(killed, 'SIGKILL');
    open.release(true);
    await client.end();

    killed = await start(home);
    client = poolFor(killed.url, 2);
    expect((await client.query('select count(*)::int as rows, max(n) as last from kept')).rows).toEqual([
      { rows: 100, last: 99 },
    ]);
    await client.end();
    expect(await stop(killed, 'SIGTERM')).toBe(0);
    await rm(home, { recursive: true });
  });

  it('finds another place for its socket when the directory’s path is too long for one', async () => {
    const home = await mkdtemp(join(tmpdir(), 'embedded-'));
    const long = join(home, 'x'.repeat(120));
    await mkdir(long);
    const running = await start(long);
    const host = new URL(running.url).searchParams.get('host')!;
    expect((await stat(host)).mode & 0o777).toBe(0o700);
    const client = poolFor(running.url, 1);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await stop(running, 'SIGTERM');
    await expect(stat(host)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(dirname(host)).toBe(tmpdir());
    await rm(home, { recursive: true });
  });
});
