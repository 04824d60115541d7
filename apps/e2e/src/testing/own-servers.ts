import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from './free-port.js';
import { directoryWith } from './installed.js';
import { Program } from './program.js';

const run = promisify(execFile);

/** What the servers below are made of, for `describeWith`. */
export const postgresqlPrograms = ['postgres', 'initdb'];
export const rabbitmqPrograms = ['rabbitmq-server', 'rabbitmqctl'];

/** A server that a test may stop, kill and freeze, since nobody else uses it. */
export interface OwnServer {
  readonly url: string;
  readonly program: Program;
  /** Ends it, and removes its data. */
  remove(): Promise<void>;
}

export interface OwnBroker extends OwnServer {
  /** Runs RabbitMQ's own command-line tool on it. @returns what it printed @throws Error when it fails */
  control(...words: string[]): Promise<string>;
}

/** PostgreSQL does not run as root: then everything here runs as somebody without rights. */
const nobody = 65_534;
const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : undefined;

/** Starts a PostgreSQL server with an empty database `postgres`. */
export async function ownPostgresql(): Promise<OwnServer> {
  const programs = need(postgresqlPrograms);
  const directory = await ownDirectory('postgresql');
  const [port] = await freePorts(1);
  const data = join(directory, 'data');
  const env = { PATH: process.env.PATH, HOME: directory, LC_ALL: 'C' };
  await run(
    join(programs, 'initdb'),
    ['--pgdata', data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--no-sync'],
    { env, cwd: directory, ...user },
  );
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: 200 };
  const program = new Program({
    name: 'postgresql',
    command: join(programs, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env,
    cwd: directory,
    user,
    ready: /database system is ready to accept connections/,
  });
  return start(program, `postgres://postgres@127.0.0.1:${port}/postgres`, async () => {
    // SIGINT: without waiting for clients.
    await program.end('SIGINT');
    await rm(directory, { recursive: true, force: true });
  });
}

/** Starts a RabbitMQ server, with an Erlang port mapper of its own, so that no daemon is left behind. */
export async function ownRabbitmq(): Promise<OwnBroker> {
  const programs = need(rabbitmqPrograms);
  const erlang = need(['epmd']);
  const directory = await ownDirectory('rabbitmq');
  const [port, distributionPort, mapperPort] = (await freePorts(3)).map(String);
  const mapper = new Program({
    name: 'epmd',
    command: join(erlang, 'epmd'),
    args: ['-port', mapperPort!, '-address', '127.0.0.1', '-d'],
    env: {},
    user,
    ready: /epmd running/,
  });
  const env = {
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    HOME: directory,
    ERL_EPMD_PORT: mapperPort,
    RABBITMQ_NODENAME: `flagfall-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: port,
    RABBITMQ_DIST_PORT: distributionPort,
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(directory, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(directory, 'none'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
  };
  const program = new Program({
    name: 'rabbitmq',
    command: join(programs, 'rabbitmq-server'),
    args: [],
    env,
    cwd: directory,
    user,
    ready: /Server startup complete/,
    startMs: 90_000,
  });
  const remove = async () => {
    await program.kill();
    await mapper.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  const control = async (...words: string[]) =>
    (await run(join(programs, 'rabbitmqctl'), ['--quiet', ...words], { env, cwd: directory, ...user })).stdout;
  await mapper.start();
  return { ...(await start(program, `amqp://guest:guest@127.0.0.1:${port}`, remove)), control };
}

async function start(program: Program, url: string, remove: () => Promise<void>): Promise<OwnServer> {
  try {
    await program.start();
  } catch (error) {
    await remove();
    throw error;
  }
  return { url, program, remove };
}

function need(programs: string[]): string {
  const directory = directoryWith(...programs);
  if (!directory) throw new Error(`${programs.join(' and ')} must be installed to run this test`);
  return directory;
}

async function ownDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `flagfall-${name}-`));
  if (user) await chown(directory, user.uid, user.gid);
  return directory;
}
