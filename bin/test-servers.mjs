import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, say } from './prepare.mjs';

/** What a server of the distributions answers to; where it trusts local users the password does not matter. */
const defaults = {
  database: 'postgres://postgres:postgres@127.0.0.1:5432/postgres',
  broker: 'amqp://guest:guest@127.0.0.1:5672',
};

const answerMs = 15_000;
/** Pulling an image over a slow line takes its time; a registry that never answers must not. */
const containerMs = 180_000;

/**
 * Finds the servers that the tests run on: those named by the caller, else containers, else those at the default ports, else the embedded
 * database and no broker. Makes a database on the server that nobody else uses.
 * @param directory of this run alone
 * @returns the variables for Jest, what was found in words, whether each is there, and how to give everything back
 */
export async function findServers(env, directory) {
  const cleanups = [];
  const release = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      await cleanup().catch((error) => say(`could not clean up after the tests: ${error.message}`));
    }
  };
  try {
    const namespace = `flagfall_test_${randomBytes(4).toString('hex')}`;
    const containers = env.TEST_DATABASE_URL && env.TEST_AMQP_URL ? {} : await startContainers(env, cleanups);
    const database = await firstOf(
      env.TEST_DATABASE_URL
        ? [{ url: env.TEST_DATABASE_URL, from: 'TEST_DATABASE_URL', required: true }]
        : [containers.database, { url: defaults.database, from: 'the server at port 5432' }],
      databaseProblem,
    );
    const broker = await firstOf(
      env.TEST_AMQP_URL
        ? [{ url: env.TEST_AMQP_URL, from: 'TEST_AMQP_URL', required: true }]
        : [containers.broker, { url: defaults.broker, from: 'the server at port 5672' }],
      brokerProblem,
    );
    const databaseUrl = database
      ? await makeDatabase(database.url, namespace, cleanups)
      : await startEmbedded(cleanups);
    const notes = join(directory, 'broker');
    if (broker) cleanups.push(() => removeFromBroker(broker.url, notes));
    return {
      env: {
        TEST_DATABASE_URL: databaseUrl,
        TEST_NAMESPACE: namespace,
        ...(broker ? { TEST_AMQP_URL: broker.url, TEST_BROKER_NOTES: notes } : {}),
      },
      namespace,
      hasDatabase: database !== undefined,
      hasBroker: broker !== undefined,
      description: `PostgreSQL: ${database?.from ?? 'the embedded database'}; RabbitMQ: ${broker?.from ?? 'none'}; namespace ${namespace}`,
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The first server that answers; one that was asked for by name must. */
async function firstOf(candidates, problemOf) {
  for (const candidate of candidates) {
    if (!candidate) continue;
    const problem = await problemOf(candidate.url);
    if (!problem) return candidate;
    // It is there, and somebody has to look at it: without a word the suites that need it would be left out.
    if (problem.includes('ETIMEDOUT'))
      throw new Error(
        `${candidate.from} takes connections, but says nothing for ${answerMs / 1000} s: is it overloaded?`,
      );
    if (candidate.required) throw new Error(`The server named by ${candidate.from} cannot be used: ${problem}`);
  }
  return undefined;
}

async function databaseProblem(url) {
  try {
    await query(url, 'select 1');
    return undefined;
  } catch (error) {
    return error.message || error.code;
  }
}

async function brokerProblem(url) {
  const { connect } = await import('amqplib');
  try {
    const connection = await connect(url, { timeout: answerMs });
    await connection.close();
    return undefined;
  } catch (error) {
    return error.message || error.code;
  }
}

async function query(url, statement, values) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: answerMs });
  await client.connect();
  try {
    return await client.query(statement, values);
  } finally {
    await client.end();
  }
}

/** A database of this run's own. Those that suites make beside it carry its name as a prefix, and go with it. */
async function makeDatabase(server, name, cleanups) {
  await query(server, `create database ${name}`);
  cleanups.push(async () => {
    const { rows } = await query(server, 'select datname from pg_database where starts_with(datname, $1)', [name]);
    for (const { datname } of rows) await query(server, `drop database if exists "${datname}" with (force)`);
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function startEmbedded(cleanups) {
  const { startTestDatabases } = await import('./test-databases.mjs');
  const databases = await startTestDatabases();
  cleanups.push(databases.close);
  return databases.url;
}

/** Suites remove what they declare. What they could not any more is in their notes: a broker alone does not list its queues. */
async function removeFromBroker(url, notes) {
  if (!existsSync(notes)) return;
  const noted = readFileSync(notes, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const named = (kind) => noted.filter(([what]) => what === kind).map(([, name]) => name);
  const gone = new Set(named('gone'));
  const namespaces = named('namespace').filter((name) => !gone.has(name));
  if (namespaces.length === 0) return;
  const { workQueues } = await import('../dist/libs/contracts/src/index.js');
  const { durableQueues, exchangesOf } = await import('../dist/libs/messaging/src/rabbit-topology.js');
  const { RETRY_DELAYS_MS } = await import('../dist/libs/messaging/src/handlers.js');
  const { connect } = await import('amqplib');
  const connection = await connect(url, { timeout: answerMs });
  const channel = await connection.createChannel();
  for (const namespace of namespaces) {
    const ofServices = workQueues.flatMap((queue) => durableQueues(`${namespace}.${queue}`, RETRY_DELAYS_MS));
    const others = named('queue').filter((queue) => queue.startsWith(`${namespace}.`));
    // What is not there need not be removed.
    for (const queue of [...ofServices, ...others]) await channel.deleteQueue(queue);
    for (const exchange of Object.values(exchangesOf(namespace))) await channel.deleteExchange(exchange);
  }
  await connection.close();
}

/** PostgreSQL and RabbitMQ in containers, as far as Docker answers and has or gets the images. */
async function startContainers(env, cleanups) {
  // Its reaper is a third image; we stop our containers ourselves.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await withLimit(getContainerRuntimeClient(), answerMs);
  } catch (error) {
    if (error instanceof Late) say(`Docker gives ${error.message}: doing without`);
    return {}; // No Docker here.
  }
  const images = await imagesOfInstallation();
  const start = async (container, address, from) => {
    say(`starting ${from} …`);
    const starting = container.withStartupTimeout(containerMs).start();
    // Also when it is up only after we stopped waiting.
    const stop = starting.then((started) => () => started.stop());
    try {
      const started = await withLimit(starting, containerMs);
      cleanups.push(await stop);
      return { url: address(started), from };
    } catch (error) {
      stop.then((end) => end()).catch(() => {});
      say(`${from} could not be started: ${String(error.message).split('\n')[0]}`);
      return undefined;
    }
  };
  const [database, broker] = await Promise.all([
    env.TEST_DATABASE_URL
      ? undefined
      : start(
          new GenericContainer(images.database)
            .withEnvironment({ POSTGRES_PASSWORD: 'postgres' })
            .withTmpFs({ '/var/lib/postgresql/data': 'rw' })
            .withExposedPorts(5432)
            .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2)),
          (container) =>
            `postgres://postgres:postgres@${container.getHost()}:${container.getMappedPort(5432)}/postgres`,
          `a container of ${images.database}`,
        ),
    env.TEST_AMQP_URL
      ? undefined
      : start(
          new GenericContainer(images.broker)
            .withExposedPorts(5672)
            .withWaitStrategy(Wait.forLogMessage(/Server startup complete/)),
          (container) => `amqp://guest:guest@${container.getHost()}:${container.getMappedPort(5672)}`,
          `a container of ${images.broker}`,
        ),
  ]);
  return { database, broker };
}

/** What the tests run on is what docker-compose.yml runs on. */
async function imagesOfInstallation() {
  const { load } = await import('js-yaml');
  const { services } = load(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
  return { database: services.postgres.image, broker: services.rabbitmq.image };
}

class Late extends Error {}

function withLimit(promise, ms) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Late(`no answer within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
